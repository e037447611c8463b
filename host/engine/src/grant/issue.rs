//! issue: a ready execution → the same, promised to one worker.
//!
//! Locks: the ready row. No event.

use std::collections::BTreeSet;

use model::{ExecutionId, GrantKind, GrantRefusal, Invalid, Limits};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::crypto::HeldGrant;
use crate::lease::EndLease;
use crate::{Answer, Engine, Error, mint};

/// To whom an execution shall be promised, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueGrant {
    /// The worker, over its restarts.
    pub worker_id: String,
    /// The process; it will hold the lease.
    pub worker_instance_id: String,
    /// What the worker offers; the execution must require no more.
    pub capabilities: BTreeSet<String>,
    /// Life of the grant in milliseconds, within [`Limits::GRANT_TTL_MS`].
    pub grant_ttl_ms: u32,
}

/// Which execution [`Engine::claim_for_worker`] looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantNext {
    /// The lane to take from.
    pub lane: String,
    /// Kinds the worker can run; absent for any.
    pub kinds: Option<Vec<String>>,
    /// For whom.
    pub grant: IssueGrant,
}

/// A promise of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The execution.
    pub execution_id: ExecutionId,
    /// What the promise may be turned into.
    pub kind: GrantKind,
    /// Proof of it, for the worker.
    pub handle: String,
    /// Until when it holds.
    pub expires_at: OffsetDateTime,
    /// What the worker offered, as [`capability_hash`] names it.
    pub capability_hash: String,
}

/// Names a set of capabilities: the first 16 hexadecimal digits of the SHA-256 of
/// the tokens, sorted and separated by commas.
pub fn capability_hash(capabilities: &BTreeSet<String>) -> String {
    let tokens: Vec<&str> = capabilities.iter().map(String::as_str).collect();
    hex::encode(&Sha256::digest(tokens.join(","))[..8])
}

impl Engine {
    /// Promises a waiting execution to a worker.
    ///
    /// # Refusals
    /// See [`GrantRefusal`]; a repeat is refused as `grant_already_exists` until
    /// the first grant lapses.
    pub async fn issue_claim_grant(
        &self,
        id: ExecutionId,
        wanted: IssueGrant,
    ) -> Answer<Grant, GrantRefusal> {
        if let Err(invalid) = wanted.check() {
            return Ok(Err(invalid.into()));
        }
        self.issue(id, GrantKind::Claim, &wanted).await
    }

    /// Promises an execution whose holder was lost to another worker. A lease
    /// that has lapsed and was not swept yet is taken back first, as the sweep
    /// would.
    ///
    /// # Refusals
    /// See [`GrantRefusal`].
    pub async fn issue_reclaim_grant(
        &self,
        id: ExecutionId,
        wanted: IssueGrant,
    ) -> Answer<Grant, GrantRefusal> {
        if let Err(invalid) = wanted.check() {
            return Ok(Err(invalid.into()));
        }
        if let Some((fence, at_cap)) = self.lapsed_lease(id).await? {
            // A refusal means that another host acted first.
            let _ = self
                .inner
                .end_lease
                .call(EndLease::expired(fence, at_cap))
                .await?;
        }
        self.issue(id, GrantKind::Reclaim, &wanted).await
    }

    /// Promises the first execution of a lane that fits a worker; `None` if
    /// none does.
    ///
    /// # Refusals
    /// An argument breaks a bound.
    pub async fn claim_for_worker(&self, wanted: GrantNext) -> Answer<Option<Grant>, Invalid> {
        let GrantNext { lane, kinds, grant } = wanted;
        let mut names = kinds.iter().flatten();
        let checked = model::lane_name(&lane)
            .and_then(|()| names.try_for_each(|kind| model::kind_name(kind)))
            .and_then(|()| grant.check());
        if let Err(invalid) = checked {
            return Ok(Err(invalid));
        }
        let service = self.lanes_that_serve(std::slice::from_ref(&lane)).await?;
        if service.servers.is_empty() {
            return Ok(Ok(None));
        }
        let capabilities: Vec<String> = grant.capabilities.iter().cloned().collect();
        for partition in self.instance().partitions.all() {
            let grant_id = mint::random_id();
            let row = sqlx::query_file!(
                "src/grant/next.sql",
                partition.column(),
                lane,
                kinds.as_deref(),
                &capabilities,
                grant_id,
                grant.worker_instance_id,
                grant.grant_ttl_ms as i32,
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if let Some(row) = row {
                let id = ExecutionId::from_uuid(row.execution_id);
                let kind = GrantKind::Claim;
                let made = self.granted(id, kind, grant_id, &grant, row.granted_until);
                return Ok(Ok(Some(made.await?)));
            }
        }
        Ok(Ok(None))
    }

    async fn issue(
        &self,
        id: ExecutionId,
        kind: GrantKind,
        wanted: &IssueGrant,
    ) -> Answer<Grant, GrantRefusal> {
        let capabilities: Vec<String> = wanted.capabilities.iter().cloned().collect();
        let grant_id = mint::random_id();
        let until = sqlx::query_file_scalar!(
            "src/grant/issue.sql",
            id.partition().column(),
            id.uuid(),
            &capabilities,
            kind == GrantKind::Reclaim,
            grant_id,
            wanted.worker_instance_id,
            wanted.grant_ttl_ms as i32,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        match until {
            Some(until) => Ok(Ok(self.granted(id, kind, grant_id, wanted, until).await?)),
            None => Ok(Err(match self.look_at(id, &wanted.capabilities).await? {
                Some(probe) => probe.refusal(kind),
                None => GrantRefusal::ExecutionNotFound,
            })),
        }
    }

    async fn granted(
        &self,
        execution_id: ExecutionId,
        kind: GrantKind,
        grant_id: uuid::Uuid,
        wanted: &IssueGrant,
        expires_at: OffsetDateTime,
    ) -> Result<Grant, Error> {
        let capability_hash = capability_hash(&wanted.capabilities);
        let held = HeldGrant {
            execution_id,
            grant_id,
            worker_id: wanted.worker_id.clone(),
            worker_instance_id: wanted.worker_instance_id.clone(),
            expires_at_us: (expires_at.unix_timestamp_nanos() / 1000) as i64,
            capability_hash: capability_hash.clone(),
        };
        Ok(Grant {
            execution_id,
            kind,
            handle: self.handle_signer().await?.sign_grant(kind, &held),
            expires_at,
            capability_hash,
        })
    }
}

impl IssueGrant {
    fn check(&self) -> Result<(), Invalid> {
        model::worker_name("worker_id", &self.worker_id)?;
        model::worker_name("worker_instance_id", &self.worker_instance_id)?;
        model::capabilities("capabilities", &self.capabilities)?;
        let bounds = Limits::GRANT_TTL_MS;
        if bounds.contains(&self.grant_ttl_ms) {
            return Ok(());
        }
        let detail = format!(
            "{} is out of range: {} to {}",
            self.grant_ttl_ms,
            bounds.start(),
            bounds.end()
        );
        Err(Invalid::new("grant_ttl_ms", detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_hash_names_a_set_whatever_its_order() {
        let hash = |tokens: &[&str]| {
            let set = tokens.iter().map(ToString::to_string).collect();
            capability_hash(&set)
        };
        assert_eq!(hash(&["gpu", "arm"]), hash(&["arm", "gpu"]));
        assert_ne!(hash(&["gpu", "arm"]), hash(&["gpu"]));
        // Of nothing: printf '' | sha256sum | cut -c1-16
        assert_eq!(hash(&[]), "e3b0c44298fc1c14");
    }
}
