//! revoke: active → waiting, or failed at the reclaim cap.
//!
//! The next attempt is a new one of type `reclaim`, as after a lease that expired; the
//! epoch grows, and the holder is notified. Event: `revoked` or `failed`.

use model::{AlreadySatisfied, LeaseId, OperateRefusal};

use super::current_state::CurrentState;
use crate::lease::EndLease;
use crate::operate::{Operate, Operation};
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine, Error};

/// A request to take a lease away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    /// The execution, and the operator who asks.
    pub operate: Operate,
    /// Only this lease; absent for the one that is held.
    pub expected_lease_id: Option<LeaseId>,
}

/// The answer to a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// The lease that has ended.
    pub lease_id: LeaseId,
    /// The epoch of that lease.
    pub epoch: u64,
    /// How it ended before; absent if this call ended it.
    pub already: Option<AlreadySatisfied>,
}

impl Engine {
    /// Takes the lease of an execution away; it is ready again immediately. Succeeds again
    /// for an expected lease that was revoked or expired before; without one, if that is
    /// the last thing that happened to the execution.
    ///
    /// # Refusals
    /// `no_active_lease`; `stale_lease` when another lease is held than the one
    /// expected.
    pub async fn revoke(&self, revoke: Revoke) -> Result<Revoked, Declined<OperateRefusal>> {
        let Revoke {
            operate,
            expected_lease_id: expected,
        } = revoke;
        operate.by.check()?;
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let current = current.await?.ok_or(OperateRefusal::ExecutionNotFound)?;
            let held = current
                .held
                .filter(|held| expected.is_none_or(|id| held.fence.lease_id == id));
            let Some(held) = held else {
                if let Some(revoked) = self.lost_before(&operate, &current, expected).await? {
                    return Ok(revoked);
                }
                return Err(Declined::Refused(match current.held {
                    Some(_) => OperateRefusal::StaleLease,
                    None => OperateRefusal::NoActiveLease {
                        state: current.state,
                        outcome: current.outcome,
                    },
                }));
            };
            let why = "an operator took the lease away";
            let call = EndLease::revoked(held.fence, why, held.at_reclaim_cap);
            let call = call.by_operator(Operation {
                verb: "revoke",
                by: operate.by.clone(),
            });
            // A refusal: the lease ended meanwhile, or another worker has it.
            if self.inner.batchers.end_lease.call(call).await?.is_ok() {
                return Ok(Revoked {
                    lease_id: held.fence.lease_id,
                    epoch: held.fence.epoch,
                    already: None,
                });
            }
        }
        Err(conflict(operate.id).into())
    }

    /// Finds the lease that is to be taken away among those that were lost.
    async fn lost_before(
        &self,
        operate: &Operate,
        current: &CurrentState,
        expected: Option<LeaseId>,
    ) -> Result<Option<Revoked>, Error> {
        if expected.is_none() && current.held.is_some() {
            return Ok(None);
        }
        let last = self.last_ended(operate.id, expected).await?;
        Ok(last.and_then(|(fence, ended)| {
            let still = expected.is_some() || fence.epoch + 1 == current.epoch;
            Some(Revoked {
                lease_id: fence.lease_id,
                epoch: fence.epoch,
                already: Some(ended.already().filter(|_| still)?),
            })
        }))
    }
}
