//! A lease as the guest that holds it sees it, and what the guest used under it.

use std::sync::{Arc, OnceLock};

use engine::Claimed;
use model::{AttemptType, ExecutionPolicy, Usage, credential_of};

use super::Streamed;
use crate::attempt::Attempt;
use crate::host::bindings::flowhost::engine::suspend::Resumption;
use crate::host::bindings::flowhost::engine::types::Task;
use crate::host::convert::{self, resumption_bytes, task_bytes};

/// A lease in the hands of a guest.
#[derive(Debug)]
pub(crate) struct HeldLease {
    /// The attempt it is for, shared with the keeper of the lease.
    pub(crate) attempt: Arc<Attempt>,
    /// The task of the execution, as its guest sees it.
    pub(crate) task: Arc<Task>,
    /// The credential that asked for the execution, or for the one that created it, and so
    /// on; absent if none did.
    pub(crate) requester: Option<String>,
    /// What the guest resumes with; absent if the execution was never suspended.
    pub(crate) resumption: Option<Resumption>,
    /// Whether the execution's policy limits the attempt.
    pub(crate) has_timeout: bool,
    /// The policy and the number of retries so far, so that a failure needs no read;
    /// absent in `flowhost invoke`.
    pub(crate) known: Option<(Arc<ExecutionPolicy>, u32)>,
    /// Whether an earlier lease on the execution ended without an outcome.
    pub(crate) was_reclaimed: bool,
    /// What the sandbox had used when the guest got the lease; unset while it
    /// has not got it.
    pub(crate) used_before: OnceLock<SandboxUsage>,
    /// What the guest appended to the stream of the attempt.
    pub(crate) stream: Streamed,
}

impl HeldLease {
    /// Builds the lease of an execution that was claimed for `attempt`.
    pub(crate) fn new(attempt: Arc<Attempt>, mut claimed: Claimed) -> Self {
        let resumption = claimed.resumption.take();
        Self {
            attempt,
            has_timeout: claimed.attempt_timeout_ms.is_some(),
            was_reclaimed: claimed.attempt_type == AttemptType::Reclaim,
            resumption: resumption.map(|found| convert::resumption(*found)),
            known: Some((claimed.policy.clone(), claimed.retries)),
            requester: claimed
                .creator
                .as_deref()
                .and_then(credential_of)
                .map(str::to_owned),
            task: Arc::new(convert::task(claimed)),
            used_before: OnceLock::new(),
            stream: Streamed::default(),
        }
    }

    /// Returns the bytes the host keeps of it for the guest: the task, and the state
    /// and signals of its last suspension.
    pub(crate) fn kept_bytes(&self) -> usize {
        size_of::<Self>()
            + task_bytes(&self.task)
            + self.resumption.as_ref().map_or(0, resumption_bytes)
    }

    /// Returns what the guest used under this lease, of what its sandbox has
    /// used by now.
    pub(crate) fn usage(&self, used: &SandboxUsage) -> Usage {
        let before = self.used_before.get().copied().unwrap_or_default();
        let log_bytes = self.attempt.with_log(|log, _| log.bytes());
        let cpu_us = used.cpu_us.saturating_sub(before.cpu_us);
        let host_calls = used.host_calls.saturating_sub(before.host_calls);
        Usage {
            cpu_ticks: u32::try_from(cpu_us.div_ceil(10_000)).unwrap_or(u32::MAX),
            memory_peak_bytes: used.memory_peak_bytes,
            host_calls: u32::try_from(host_calls).unwrap_or(u32::MAX),
            bytes_out: used.bytes_out.saturating_sub(before.bytes_out) + log_bytes,
            wall_us: used.wall_us.saturating_sub(before.wall_us),
        }
    }

    /// Returns the log of the attempt so far.
    pub(crate) fn log_snapshot(&self) -> Option<Vec<u8>> {
        self.attempt.with_log(|log, at_ms| log.snapshot(at_ms))
    }
}

/// What a sandbox has used since it was opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SandboxUsage {
    pub(crate) cpu_us: u64,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) host_calls: u64,
    /// Without the bytes of logs.
    pub(crate) bytes_out: u64,
    pub(crate) wall_us: u64,
}
