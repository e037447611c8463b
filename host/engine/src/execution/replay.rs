//! replay: finished → waiting, as a new attempt of type `replay`.
//!
//! The result and the failure of the last end leave with it; the attempts stay.
//! Locks: the finished and timer rows. Event: `replayed`.

use model::{OperateRefusal, StateKind};

use super::operator::Operate;
use super::row::{count, epoch};
use crate::{Answer, Engine};

/// The answer to a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How often it was replayed, with this time.
    pub replays: u32,
    /// Its epoch.
    pub epoch: u64,
}

impl Engine {
    /// Makes a finished execution ready again, with the input and the policy it
    /// was created with. Failures and lost leases count anew, and so does a
    /// deadline relative to the creation. A repeat by the same operator succeeds again
    /// until the execution has ended again; then it is another replay.
    ///
    /// # Refusals
    /// `execution_not_terminal`; `max_replays_exhausted` when the policy allows
    /// no more.
    pub async fn replay(&self, operate: Operate) -> Answer<Replayed, OperateRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        let Some(place) = self.place(operate.id, operate.namespace.as_deref()).await? else {
            return Ok(Err(OperateRefusal::ExecutionNotFound));
        };
        let replayed = sqlx::query_file!(
            "src/execution/replay.sql",
            operate.id.partition().column(),
            operate.id.uuid(),
            i32::try_from(place.policy.max_replay_count.0).unwrap_or(i32::MAX),
            place
                .policy
                .timeout_policy
                .execution_deadline_ms
                .map(|ms| ms as i64),
            operate.by.actor,
            operate.by.reason,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if let Some(replayed) = replayed {
            self.inner.wake.ready();
            return Ok(Ok(Replayed {
                replays: count(replayed.replays),
                epoch: epoch(replayed.epoch),
            }));
        }
        // It was replayed meanwhile or before, or may not be.
        let Some(place) = self.place(operate.id, None).await? else {
            return Ok(Err(OperateRefusal::ExecutionNotFound));
        };
        if place.state == StateKind::Terminal {
            return Ok(Err(OperateRefusal::MaxReplaysExhausted {
                replays: place.replays,
            }));
        }
        let last = self.last_operation(operate.id, &["replay"]).await?;
        Ok(match last.filter(|last| last.by == operate.by) {
            Some(last) => Ok(Replayed {
                replays: place.replays,
                epoch: last.epoch.unwrap_or(place.epoch),
            }),
            None => Err(OperateRefusal::ExecutionNotTerminal { state: place.state }),
        })
    }
}
