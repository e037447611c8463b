//! attempt_timeouts: active longer than its attempt may run → as the retry policy says.
//!
//! The host of a running attempt stops it by itself; this sweep ends attempts whose
//! holder keeps the lease and does not. Event: `retry_scheduled` or `execution_expired`.

use model::{EngineCode, Failure};

use super::sweeps::SWEEP_MAX;
use crate::lease::{EndLease, Report};
use crate::row::{fence, policy, readable};
use crate::{Engine, Error};

impl Engine {
    /// Ends attempts that ran too long; returns their number.
    pub(crate) async fn attempt_timeouts(&self) -> Result<u64, Error> {
        let rows = sqlx::query!(
            r#"SELECT l.execution_id, l.lease_id, l.epoch, l.attempt, l.retries, e.policy
               FROM lease l
               CROSS JOIN LATERAL (
                   SELECT e.* FROM execution e
                   WHERE e.partition = l.partition AND e.id = l.execution_id OFFSET 0
               ) AS e
               WHERE l.attempt_deadline_at <= clock_timestamp()
               LIMIT $1"#,
            SWEEP_MAX
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut calls = Vec::with_capacity(rows.len());
        for row in rows {
            let policy = policy(row.execution_id, row.policy.as_deref());
            let Some(policy) = readable(policy) else {
                continue;
            };
            let fence = fence(row.execution_id, row.lease_id, row.epoch, row.attempt);
            let failure = Failure::by_engine(
                EngineCode::AttemptTimeout,
                "the attempt ran longer than its policy allows",
            );
            let (report, retries) = (Report::default(), row.retries.unsigned_abs());
            let call = EndLease::failed(fence, failure, true, report, &policy, retries);
            calls.push(call.overdue());
        }
        self.end_leases(calls).await
    }
}
