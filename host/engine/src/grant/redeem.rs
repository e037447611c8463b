//! redeem: a granted execution → active, under a lease of the worker it was granted to.
//!
//! The statement is that of every claim; see there for locks and events.

use std::collections::BTreeSet;

use model::{GrantKind, RedeemRefusal, Scope};

use crate::crypto::HeldGrant;
use crate::lease::Claimed;
use crate::{Declined, Engine, HeldLease};

impl Engine {
    /// Turns a grant into a lease of `ttl_ms`, within the bounds of leases. Returns also
    /// the worker that holds it.
    ///
    /// A grant of a namespace that the caller's scope does not hold is refused as one that
    /// was not issued here. A grant holds even if its lane was paused meanwhile. A worker
    /// that names its capabilities is refused if the grant was issued for others.
    ///
    /// # Refusals
    /// `capability_mismatch`; for a claim grant `invalid_claim_grant` and
    /// `claim_grant_expired`; for a reclaim grant `grant_not_found`,
    /// `execution_not_reclaimable` and `reclaim_cap_exceeded`. A grant is good for one lease:
    /// a repeat is refused.
    pub async fn redeem_grant(
        &self,
        scope: &Scope,
        kind: GrantKind,
        grant: &str,
        capability_hash: Option<&str>,
        ttl_ms: u32,
    ) -> Result<(Claimed, HeldLease), Declined<RedeemRefusal>> {
        let held = self.handle_signer().await?.verify_grant(kind, grant);
        let held = held.filter(|held| scope.holds(&held.namespace));
        let HeldGrant {
            execution_id: id,
            namespace,
            grant_id,
            worker_instance_id,
            expires_at_us,
            capability_hash: issued_for,
            ..
        } = held.ok_or_else(|| unknown(kind, "it was not issued here"))?;
        if capability_hash.is_some_and(|hash| hash != issued_for) {
            return Err(RedeemRefusal::CapabilityMismatch.into());
        }
        let claimed = self.claim_granted(id, grant_id, &worker_instance_id, ttl_ms);
        if let Some(claimed) = claimed.await? {
            let lease = HeldLease {
                fence: claimed.fence,
                namespace: claimed.namespace.clone(),
                worker_instance_id,
            };
            return Ok((claimed, lease));
        }
        let now = self.now().await?.unix_timestamp_nanos() / 1000;
        let expired = i128::from(expires_at_us) <= now;
        let probe = self
            .observe_for_grant(id, Some(&namespace), &BTreeSet::new())
            .await?;
        let refusal = probe.map(|probe| probe.redeem_refusal(kind, expired));
        Err(refusal
            .unwrap_or_else(|| unknown(kind, "its execution is gone"))
            .into())
    }
}

fn unknown(kind: GrantKind, why: &str) -> RedeemRefusal {
    match kind {
        GrantKind::Claim => RedeemRefusal::InvalidClaimGrant(why.to_owned()),
        GrantKind::Reclaim => RedeemRefusal::GrantNotFound(why.to_owned()),
    }
}
