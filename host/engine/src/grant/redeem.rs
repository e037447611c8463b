//! redeem: a promised execution → active, under the lease of whoever it was
//! promised to.
//!
//! The statement is that of every claim; see `lease/claim` for locks and
//! events.

use model::{GrantKind, RedeemRefusal};

use crate::crypto::HeldGrant;
use crate::lease::Claimed;
use crate::{Answer, Engine, HeldLease};

impl Engine {
    /// Turns a claim grant into a lease of `ttl_ms`, within the bounds of
    /// leases. Returns also whose lease it is.
    ///
    /// A grant is honoured even if its lane was paused meanwhile. A worker that
    /// says what it offers is refused if the grant was issued for something else.
    ///
    /// # Refusals
    /// `invalid_claim_grant`, `claim_grant_expired`, `capability_mismatch`. A grant is good for one
    /// lease: a repeat is refused.
    pub async fn claim_from_grant(
        &self,
        grant: &str,
        capability_hash: Option<&str>,
        ttl_ms: u32,
    ) -> Answer<(Claimed, HeldLease), RedeemRefusal> {
        match self
            .handle_signer()
            .await?
            .verify_grant(GrantKind::Claim, grant)
        {
            Some(held) if !held.is_for(capability_hash) => {
                Ok(Err(RedeemRefusal::CapabilityMismatch))
            }
            Some(held) => self.redeem(GrantKind::Claim, held, ttl_ms).await,
            None => Ok(Err(RedeemRefusal::InvalidClaimGrant(
                "it was not issued here".to_owned(),
            ))),
        }
    }

    /// Turns a reclaim grant into a lease of `ttl_ms`, within the bounds of
    /// leases. Returns also whose lease it is.
    ///
    /// # Refusals
    /// `grant_not_found`, `not_reclaimable`, `reclaim_cap_exceeded`,
    /// `capability_mismatch`. A grant is good for one lease: a repeat is refused.
    pub async fn reclaim_execution(
        &self,
        grant: &str,
        capability_hash: Option<&str>,
        ttl_ms: u32,
    ) -> Answer<(Claimed, HeldLease), RedeemRefusal> {
        match self
            .handle_signer()
            .await?
            .verify_grant(GrantKind::Reclaim, grant)
        {
            Some(held) if !held.is_for(capability_hash) => {
                Ok(Err(RedeemRefusal::CapabilityMismatch))
            }
            Some(held) => self.redeem(GrantKind::Reclaim, held, ttl_ms).await,
            None => Ok(Err(RedeemRefusal::GrantNotFound(
                "it was not issued here".to_owned(),
            ))),
        }
    }

    async fn redeem(
        &self,
        kind: GrantKind,
        held: HeldGrant,
        ttl_ms: u32,
    ) -> Answer<(Claimed, HeldLease), RedeemRefusal> {
        let HeldGrant {
            execution_id: id,
            grant_id,
            worker_instance_id,
            ..
        } = held;
        let claimed = self.claim_granted(id, grant_id, &worker_instance_id, ttl_ms);
        if let Some(claimed) = claimed.await? {
            let lease = HeldLease {
                fence: claimed.fence,
                namespace: claimed.namespace.clone(),
                worker_instance_id,
            };
            return Ok(Ok((claimed, lease)));
        }
        let now = self.now().await?.unix_timestamp_nanos() / 1000;
        let lapsed = i128::from(held.expires_at_us) <= now;
        Ok(Err(match self.look_at(id, &Default::default()).await? {
            Some(probe) => probe.redeem_refusal(kind, lapsed),
            None if kind == GrantKind::Claim => {
                RedeemRefusal::InvalidClaimGrant("its execution is gone".to_owned())
            }
            None => RedeemRefusal::GrantNotFound("its execution is gone".to_owned()),
        }))
    }
}

impl HeldGrant {
    /// Whether it was issued for what a worker says that it offers, if it says so.
    fn is_for(&self, capability_hash: Option<&str>) -> bool {
        capability_hash.is_none_or(|hash| hash == self.capability_hash)
    }
}
