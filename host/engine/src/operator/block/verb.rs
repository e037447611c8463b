//! block and unblock.

use model::{BlockingReason, EdgeGroupState, Limits, OperateRefusal, StateKind};

use crate::checks::text;
use crate::operate::Operate;
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine};

/// A request to take an execution out of its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The execution, and the operator who asks.
    pub operate: Operate,
    /// One of the reasons that block. `waiting_for_budget` and
    /// `waiting_for_quota` make it rate limited, the others blocked.
    pub reason: BlockingReason,
    /// More on the reason, for people; at most 1024 bytes. Absent: what the operator
    /// gives as theirs.
    pub detail: Option<String>,
}

impl Engine {
    /// Takes an execution out of its queue until it is unblocked. Succeeds
    /// again on one that is blocked for the same reason.
    ///
    /// # Refusals
    /// `invalid_blocking_reason`; `execution_not_eligible` unless it is waiting.
    pub async fn block(&self, block: Block) -> Result<(), Declined<OperateRefusal>> {
        let Block {
            operate,
            reason,
            detail,
        } = block;
        let state = reason.blocked_state()?;
        let detail = detail.or_else(|| operate.by.reason.clone());
        operate.by.check()?;
        text(
            "detail",
            detail.as_deref().unwrap_or_default(),
            Limits::REASON_BYTES_MAX,
        )?;
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let current = current.await?.ok_or(OperateRefusal::ExecutionNotFound)?;
            if current.state == state && current.reason == reason {
                return Ok(());
            }
            if current.state != StateKind::Waiting {
                return Err(current.not_eligible().into());
            }
            let blocked = sqlx::query_file_scalar!(
                "src/operator/block/block.sql",
                operate.id.partition().column(),
                operate.id.uuid(),
                state.as_str(),
                reason.as_str(),
                detail,
                operate.by.actor,
                operate.by.reason,
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if blocked.is_some() {
                return Ok(());
            }
        }
        Err(conflict(operate.id).into())
    }

    /// Returns an execution to its place in its queue. A repeat by the same operator
    /// succeeds again, as long as no operator has blocked it since.
    ///
    /// # Refusals
    /// `execution_not_eligible` unless it is blocked, rate limited or waiting
    /// for children, and for the `expected` reason if one is given; `deps_not_satisfied` for
    /// a member that waits for other members of its flow.
    pub async fn unblock(
        &self,
        operate: Operate,
        expected: Option<BlockingReason>,
    ) -> Result<(), Declined<OperateRefusal>> {
        operate.by.check()?;
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let current = current.await?.ok_or(OperateRefusal::ExecutionNotFound)?;
            let blocked = matches!(
                current.state,
                StateKind::Blocked | StateKind::RateLimited | StateKind::WaitingChildren
            );
            if !blocked {
                let last = self.last_operation(operate.id, &["block", "unblock"]);
                let repeated = last.await?.is_some_and(|last| {
                    let reason = expected.map(BlockingReason::as_str);
                    last.verb == "unblock"
                        && last.by == operate.by
                        && (reason.is_none() || last.detail.as_deref() == reason)
                });
                return match repeated {
                    true => Ok(()),
                    false => Err(current.not_eligible().into()),
                };
            }
            if expected.is_some_and(|expected| current.reason != expected) {
                return Err(current.not_eligible().into());
            }
            // Only its flow lets a member begin; an attempt that waits for its children may be
            // told to go on without them.
            if current.state == StateKind::WaitingChildren
                && self.group_state(operate.id).await? == Some(EdgeGroupState::Pending)
            {
                return Err(OperateRefusal::DepsNotSatisfied.into());
            }
            let unblocked = sqlx::query_file_scalar!(
                "src/operator/block/unblock.sql",
                operate.id.partition().column(),
                operate.id.uuid(),
                expected.map(BlockingReason::as_str),
                operate.by.actor,
                operate.by.reason,
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if unblocked.is_some() {
                self.inner.wake.ready();
                return Ok(());
            }
        }
        Err(conflict(operate.id).into())
    }
}
