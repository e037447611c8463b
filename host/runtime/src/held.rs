//! A lease as the guest that holds it sees it, and what the guest used under it.

use std::sync::{Arc, OnceLock};

use model::{ExecutionPolicy, Usage};

use crate::attempt::Attempt;
use crate::bindings::flowhost::engine::signal::ReceivedSignal;
use crate::bindings::flowhost::engine::suspend::Resumption;
use crate::bindings::flowhost::engine::types::Task;
use crate::host::{payload_bytes, text_bytes};

/// A lease in the hands of a guest.
#[derive(Debug)]
pub(crate) struct Held {
    /// The attempt it is for, shared with whoever keeps the lease.
    pub(crate) attempt: Arc<Attempt>,
    /// What is to be done.
    pub(crate) task: Arc<Task>,
    /// What the guest goes on with, if it was suspended before.
    pub(crate) resumption: Option<Resumption>,
    /// Whether the execution's policy limits the attempt.
    pub(crate) limited: bool,
    /// The policy and the failures so far, so that a failure needs no read.
    pub(crate) known: Option<(Arc<ExecutionPolicy>, u32)>,
    /// Whether an earlier lease on it ended without an outcome.
    pub(crate) came_back: bool,
    /// What the sandbox had used when the guest got the lease; unset while it
    /// has not got it.
    pub(crate) since: OnceLock<Spent>,
}

impl Held {
    /// Returns the bytes the host keeps of it for the guest: the task, and the state
    /// and signals of its last suspension.
    pub(crate) fn kept_bytes(&self) -> usize {
        let task = &self.task;
        let names = [&task.execution_id, &task.namespace, &task.kind, &task.lane];
        let tags = task.tags.iter().map(|(key, value)| key.len() + value.len());
        size_of::<Self>()
            + size_of::<Task>()
            + names.into_iter().map(String::len).sum::<usize>()
            + payload_bytes(&task.input)
            + size_of_val(task.tags.as_slice())
            + tags.sum::<usize>()
            + self.resumption.as_ref().map_or(0, resumption_bytes)
    }

    /// Returns what the guest used under this lease, of what its sandbox has
    /// used by now.
    pub(crate) fn usage(&self, spent: &Spent) -> Usage {
        let since = self.since.get().copied().unwrap_or_default();
        let log_bytes = self.attempt.with_log(|log, _| log.bytes());
        let cpu_us = spent.cpu_us.saturating_sub(since.cpu_us);
        let host_calls = spent.host_calls.saturating_sub(since.host_calls);
        Usage {
            cpu_ticks: u32::try_from(cpu_us.div_ceil(10_000)).unwrap_or(u32::MAX),
            memory_peak_bytes: spent.memory_peak_bytes,
            host_calls: u32::try_from(host_calls).unwrap_or(u32::MAX),
            bytes_out: spent.bytes_out.saturating_sub(since.bytes_out) + log_bytes,
            wall_us: spent.wall_us.saturating_sub(since.wall_us),
        }
    }

    /// Returns the log of the attempt so far.
    pub(crate) fn log_snapshot(&self) -> Option<Vec<u8>> {
        self.attempt.with_log(|log, at_ms| log.snapshot(at_ms))
    }
}

fn resumption_bytes(resumption: &Resumption) -> usize {
    resumption.state.as_ref().map_or(0, payload_bytes)
        + size_of_val(resumption.signals.as_slice())
        + resumption.signals.iter().map(signal_bytes).sum::<usize>()
}

fn signal_bytes(signal: &ReceivedSignal) -> usize {
    [
        &signal.id,
        &signal.waitpoint_id,
        &signal.waitpoint_key,
        &signal.name,
        &signal.source_type,
        &signal.source_identity,
    ]
    .into_iter()
    .map(String::len)
    .sum::<usize>()
        + text_bytes(signal.category.as_ref())
        + text_bytes(signal.correlation_id.as_ref())
        + signal.payload.as_ref().map_or(0, payload_bytes)
}

/// What a sandbox has used since it was opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) cpu_us: u64,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) host_calls: u64,
    /// Without the bytes of logs.
    pub(crate) bytes_out: u64,
    pub(crate) wall_us: u64,
}
