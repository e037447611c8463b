//! revoke: active → waiting, or failed at the reclaim cap.
//!
//! The next attempt is a new one of type `reclaim`, as after a lease that
//! lapsed; the epoch grows, and the holder is told. Event: `revoked` or
//! `failed`.

use model::{LeaseId, OperateRefusal};

use super::observe::TRIES;
use super::operator::{Operate, Operation, moving};
use super::revoked;
use crate::{Answer, Engine};

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
    /// Whether it was revoked before.
    pub already: bool,
}

impl Engine {
    /// Takes the lease of an execution away; it is ready again at once.
    /// Succeeds again for an expected lease that was revoked before.
    ///
    /// # Refusals
    /// `no_active_lease`; `stale_lease` when another lease is held than the one
    /// expected.
    pub async fn revoke(&self, revoke: Revoke) -> Answer<Revoked, OperateRefusal> {
        let Revoke {
            operate,
            expected_lease_id,
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
                .filter(|held| expected_lease_id.is_none_or(|id| held.fence.lease_id == id));
            let Some(held) = held else {
                if let Some(lease_id) = expected_lease_id
                    && self.was_revoked(&operate, lease_id).await?
                {
                    return Ok(Ok(Revoked {
                        lease_id,
                        already: true,
                    }));
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
                    already: false,
                }));
            }
        }
        Err(moving(operate.id))
    }

    async fn was_revoked(
        &self,
        operate: &Operate,
        lease_id: LeaseId,
    ) -> Result<bool, crate::Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM ended_lease
                              WHERE partition = $1 AND execution_id = $2 AND lease_id = $3
                                AND ended = 'lease_revoked') AS "revoked!""#,
            operate.id.partition().column(),
            operate.id.uuid(),
            lease_id.0,
        )
        .fetch_one(&self.inner.reads)
        .await?)
    }
}
