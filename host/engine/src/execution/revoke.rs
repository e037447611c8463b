//! revoke: active → waiting, or failed at the reclaim cap.
//!
//! The next attempt is a new one of type `reclaim`, as after a lease that
//! lapsed; the epoch grows, and the holder is told. Event: `revoked` or
//! `failed`.

use model::{AlreadySatisfied, LeaseId, OperateRefusal};

use super::observe::TRIES;
use super::operator::{Operate, Operation, Place, moving};
use super::revoked;
use crate::{Answer, Engine, Error};

/// A request to take a lease away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    /// The execution, and who asks.
    pub operate: Operate,
    /// Only this lease; absent for whichever there is.
    pub expected_lease_id: Option<LeaseId>,
}

/// The answer to a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// The lease that is gone.
    pub lease_id: LeaseId,
    /// Its epoch.
    pub epoch: u64,
    /// Why it was gone before; absent if this took it away.
    pub already: Option<AlreadySatisfied>,
}

impl Engine {
    /// Takes the lease of an execution away; it is ready again at once. Succeeds again
    /// for an expected lease that was revoked or lapsed before; without one, if that is
    /// the last thing that happened to the execution.
    ///
    /// # Refusals
    /// `no_active_lease`; `stale_lease` when another lease is held than the one
    /// expected.
    pub async fn revoke(&self, revoke: Revoke) -> Answer<Revoked, OperateRefusal> {
        let Revoke {
            operate,
            expected_lease_id: expected,
        } = revoke;
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        for _ in 0..TRIES {
            let Some(place) = self.place(operate.id, operate.namespace.as_deref()).await? else {
                return Ok(Err(OperateRefusal::ExecutionNotFound));
            };
            let held = place
                .held
                .filter(|held| expected.is_none_or(|id| held.fence.lease_id == id));
            let Some(held) = held else {
                if let Some(revoked) = self.lost_before(&operate, &place, expected).await? {
                    return Ok(Ok(revoked));
                }
                return Ok(Err(match place.held {
                    Some(_) => OperateRefusal::StaleLease,
                    None => OperateRefusal::NoActiveLease {
                        state: place.state,
                        outcome: place.outcome,
                    },
                }));
            };
            let mut call = revoked(
                held.fence,
                "an operator took the lease away",
                held.at_reclaim_cap,
            );
            call.operation = Some(Operation {
                verb: "revoke",
                by: operate.by.clone(),
            });
            // A refusal: it ended or changed hands meanwhile.
            if self.inner.release.call(call).await?.is_ok() {
                return Ok(Ok(Revoked {
                    lease_id: held.fence.lease_id,
                    epoch: held.fence.epoch,
                    already: None,
                }));
            }
        }
        Err(moving(operate.id))
    }

    /// Finds the lease that is to be taken away among those that were lost.
    async fn lost_before(
        &self,
        operate: &Operate,
        place: &Place,
        expected: Option<LeaseId>,
    ) -> Result<Option<Revoked>, Error> {
        if expected.is_none() && place.held.is_some() {
            return Ok(None);
        }
        let last = self.last_ended(operate.id, expected).await?;
        Ok(last.and_then(|(fence, ended)| {
            let still = expected.is_some() || fence.epoch + 1 == place.epoch;
            Some(Revoked {
                lease_id: fence.lease_id,
                epoch: fence.epoch,
                already: Some(ended.already().filter(|_| still)?),
            })
        }))
    }
}
