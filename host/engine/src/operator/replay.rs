//! replay: finished → waiting, as a new attempt of type `replay`.
//!
//! The result and the failure of the last end are removed; the attempts stay.
//! Locks: the finished and timer rows. Event: `replayed`.

use model::{OperateRefusal, StateKind};

use crate::operate::Operate;
use crate::row::{bigint, count, epoch, int};
use crate::{Declined, Engine};

/// The answer to a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How often the execution was replayed, this time included.
    pub replays: u32,
    /// The epoch of the execution after the replay.
    pub epoch: u64,
}

impl Engine {
    /// Makes a finished execution ready again, with the input and the policy it
    /// was created with. Failures and lost leases are counted from zero again, and a
    /// deadline relative to the creation is now relative to the replay. A repeat by the same operator succeeds again
    /// until the execution has ended again; then it is another replay.
    ///
    /// # Refusals
    /// `execution_not_terminal`; `max_replays_exhausted` when the policy allows
    /// no more.
    pub async fn replay(&self, operate: Operate) -> Result<Replayed, Declined<OperateRefusal>> {
        operate.by.check()?;
        let current = self.current_state(operate.id, operate.namespace.as_deref());
        let current = current.await?.ok_or(OperateRefusal::ExecutionNotFound)?;
        let policy = &current.policy;
        let replayed = sqlx::query_file!(
            "src/operator/replay.sql",
            operate.id.partition().column(),
            operate.id.uuid(),
            int(policy.max_replay_count),
            policy.timeout_policy.execution_deadline_ms.map(bigint),
            operate.by.actor,
            operate.by.reason,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if let Some(replayed) = replayed {
            self.inner.wake.ready();
            return Ok(Replayed {
                replays: count(replayed.replays),
                epoch: epoch(replayed.epoch),
            });
        }
        // It was replayed meanwhile or before, or may not be.
        let current = self.current_state(operate.id, None).await?;
        let current = current.ok_or(OperateRefusal::ExecutionNotFound)?;
        if current.state == StateKind::Terminal {
            let replays = current.replays;
            return Err(OperateRefusal::MaxReplaysExhausted { replays }.into());
        }
        let last = self.last_operation(operate.id, &["replay"]).await?;
        let repeated = last.filter(|last| last.by == operate.by);
        let state = current.state;
        let last = repeated.ok_or(OperateRefusal::ExecutionNotTerminal { state })?;
        Ok(Replayed {
            replays: current.replays,
            epoch: last.epoch.unwrap_or(current.epoch),
        })
    }
}
