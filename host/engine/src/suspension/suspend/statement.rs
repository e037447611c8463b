//! The statement that suspends: `suspend.sql` for a batch of leases.

use std::collections::HashMap;

use model::{
    ExecutionId, Fence, Partition, SuspensionId, SuspensionReason, SuspensionRequester,
    TimeoutBehavior, WaitpointId,
};
use time::OffsetDateTime;

use crate::Error;
use crate::batch::{BatchItem, Flush};
use crate::checks::Payload;
use crate::columns::columns;
use crate::lease::{Observation, Report};
use crate::row::{bigint, int};
use crate::statements::Statements;

/// A lease that ends with a suspension.
#[derive(Debug)]
pub(crate) struct SuspendCall {
    pub(super) fence: Fence,
    pub(super) suspension_id: SuspensionId,
    pub(super) reason: SuspensionReason,
    pub(super) requested_by: SuspensionRequester,
    pub(super) condition: String,
    pub(super) resume_policy: Option<String>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) timeout_at: Option<OffsetDateTime>,
    pub(super) timeout_behavior: TimeoutBehavior,
    pub(super) state: Option<Payload>,
    pub(super) idempotency_key: Option<String>,
    pub(super) report: Report,
    /// The waitpoints it waits at: pending ones in the order of their ids, then new ones
    /// in the order they are created in.
    pub(super) waitpoints: Vec<CallWaitpoint>,
    /// Whether it was decided without a snapshot, and so holds only while the execution
    /// has no open waitpoint.
    pub(super) assumes_no_open_waitpoint: bool,
}

/// A waitpoint that the suspension waits at.
#[derive(Debug)]
pub(super) struct CallWaitpoint {
    pub(super) id: WaitpointId,
    /// How many signals a pending one had received when it was decided that those do not
    /// satisfy the condition; absent for a new one.
    pub(super) pending: Option<i32>,
    pub(super) key: String,
    /// Key id and fingerprint of its token.
    pub(super) kid: String,
    pub(super) fingerprint: String,
}

/// When the suspension times out; or what was read of an execution that was not suspended.
pub(crate) type SuspendVerdict = Result<Option<OffsetDateTime>, Option<Box<Observation>>>;

impl SuspendCall {
    fn each_waitpoint(&self) -> impl Iterator<Item = (ExecutionId, &CallWaitpoint)> {
        let id = self.fence.execution_id;
        self.waitpoints.iter().map(move |waitpoint| (id, waitpoint))
    }
}

impl BatchItem for SuspendCall {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.fence.execution_id
    }

    fn payload_bytes(&self) -> usize {
        let state_bytes = self.state.as_ref().map_or(0, |state| state.data.len());
        self.report.bytes() + state_bytes
    }
}

impl Flush<SuspendCall> for Statements {
    type Verdict = SuspendVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<SuspendCall>],
        _retried: bool,
    ) -> Result<Vec<SuspendVerdict>, Error> {
        let suspended = self.write_suspensions(partition, batch).await?;
        let misses: Vec<Fence> = batch
            .iter()
            .map(|call| call.fence)
            .filter(|fence| !suspended.contains_key(&fence.execution_id))
            .collect();
        let mut looks = match misses.is_empty() {
            true => HashMap::new(),
            false => self.observe(partition, &misses).await?,
        };
        Ok(batch
            .iter()
            .map(|call| {
                let id = call.fence.execution_id;
                match suspended.get(&id) {
                    Some(timeout_at) => Ok(*timeout_at),
                    None => Err(looks.remove(&id).map(Box::new)),
                }
            })
            .collect())
    }
}

impl Statements {
    /// Writes suspensions; returns when each execution that is suspended now times out.
    async fn write_suspensions(
        &self,
        partition: Partition,
        calls: &[Box<SuspendCall>],
    ) -> Result<HashMap<ExecutionId, Option<OffsetDateTime>>, Error> {
        let rows = columns!(
            query_file!("src/suspension/suspend/suspend.sql", partition.column());
            for call in calls => {
                execution_ids = call.fence.execution_id.uuid();
                lease_ids = call.fence.lease_id.0;
                epochs = bigint(call.fence.epoch);
                attempts = int(call.fence.attempt);
                suspension_ids = call.suspension_id.0;
                reasons as &str = call.reason.as_str();
                blocking_reasons as &str = call.reason.blocking_reason().as_str();
                requesters as &str = call.requested_by.as_str();
                conditions as &str = &call.condition;
                resume_policies as Option<&str> = call.resume_policy.as_deref();
                timeouts_ms as Option<i64> = call.timeout_ms.map(bigint);
                timeouts_at as Option<OffsetDateTime> = call.timeout_at;
                timeout_behaviors as &str = call.timeout_behavior.as_str();
                states as Option<&[u8]> = call.state.as_ref().map(|it| it.data.as_slice());
                state_types as Option<&str> = call.state.as_ref().map(|it| it.content_type.as_str());
                keys as Option<&str> = call.idempotency_key.as_deref();
                assumptions = call.assumes_no_open_waitpoint;
                logs as Option<&[u8]> = call.report.log.as_deref();
                components as Option<i32> = call.report.component_id;
                cpu_ticks as Option<i32> = call.report.usage.map(|it| int(it.cpu_ticks));
                memory_peaks as Option<i64> = call.report.usage.map(|it| bigint(it.memory_peak_bytes));
                host_calls as Option<i32> = call.report.usage.map(|it| int(it.host_calls));
                bytes_out as Option<i64> = call.report.usage.map(|it| bigint(it.bytes_out));
                wall_us as Option<i64> = call.report.usage.map(|it| bigint(it.wall_us));
            }
            for (id, waitpoint) in calls.iter().flat_map(|call| call.each_waitpoint()) => {
                waitpoint_executions = id.uuid();
                waitpoint_ids = waitpoint.id.0;
                waitpoint_signals as Option<i32> = waitpoint.pending;
                waitpoint_keys as &str = &waitpoint.key;
                waitpoint_kids as &str = &waitpoint.kid;
                waitpoint_fingerprints as &str = &waitpoint.fingerprint;
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.timeout_at))
            .collect())
    }
}
