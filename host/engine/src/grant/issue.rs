//! issue: a ready execution → the same, granted to one worker.
//!
//! Locks: the ready row. No event.

use std::collections::BTreeSet;

use model::{ExecutionId, GrantKind, GrantRefusal, Invalid, Limits};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::crypto::HeldGrant;
use crate::lease::EndLease;
use crate::{Declined, Engine, Error, random};

/// The worker that gets a grant, and how long the grant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueGrant {
    /// Name of the worker, the same after a restart.
    pub worker_id: String,
    /// Name of the process, which will hold the lease.
    pub worker_instance_id: String,
    /// Capabilities the worker offers; the execution must require no others.
    pub capabilities: BTreeSet<String>,
    /// Time to live of the grant in milliseconds, within [`Limits::GRANT_TTL_MS`].
    pub grant_ttl_ms: u32,
}

/// A ready execution that one worker may lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The execution that is granted.
    pub execution_id: ExecutionId,
    /// Whether it begins a first lease or reclaims a lost one.
    pub kind: GrantKind,
    /// Proof of the grant, for the worker; a secret.
    pub handle: String,
    /// End of the time for which it holds.
    pub expires_at: OffsetDateTime,
    /// The worker's capabilities, as [`capability_hash`] names them.
    pub capability_hash: String,
}

/// A grant as the database holds it.
pub(super) struct Granted {
    pub(super) execution_id: ExecutionId,
    pub(super) namespace: String,
    pub(super) grant_id: uuid::Uuid,
    pub(super) until: OffsetDateTime,
}

/// Names a set of capabilities: the first 16 hexadecimal digits of the SHA-256 of
/// the tokens, sorted and separated by commas.
pub fn capability_hash(capabilities: &BTreeSet<String>) -> String {
    let tokens: Vec<&str> = capabilities.iter().map(String::as_str).collect();
    hex::encode(&Sha256::digest(tokens.join(","))[..8])
}

impl Engine {
    /// Grants a waiting execution of a namespace, or of any, to a worker; or one whose
    /// holder was lost, to another worker. A lease that has expired and was not swept yet is
    /// ended first, as the sweep would.
    ///
    /// # Refusals
    /// See [`GrantRefusal`]; a repeat is refused as `grant_already_exists` until
    /// the first grant expires.
    pub async fn issue_grant(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        kind: GrantKind,
        wanted: IssueGrant,
    ) -> Result<Grant, Declined<GrantRefusal>> {
        wanted.check()?;
        if kind == GrantKind::Reclaim
            && let Some((fence, at_cap)) = self.expired_lease(id, namespace).await?
        {
            let end = EndLease::expired(fence, at_cap);
            // A refusal means that another host ended it first.
            let _ = self.inner.batchers.end_lease.call(end).await?;
        }
        let capabilities: Vec<String> = wanted.capabilities.iter().cloned().collect();
        let grant_id = random::uuid();
        let row = sqlx::query_file!(
            "src/grant/issue.sql",
            id.partition().column(),
            id.uuid(),
            kind == GrantKind::Reclaim,
            &capabilities,
            wanted.worker_instance_id,
            grant_id,
            wanted.grant_ttl_ms as i32,
            namespace,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if let Some(row) = row {
            let granted = Granted {
                execution_id: id,
                namespace: row.namespace,
                grant_id,
                until: row.granted_until,
            };
            return Ok(self.granted(kind, granted, &wanted).await?);
        }
        let probe = self
            .observe_for_grant(id, namespace, &wanted.capabilities)
            .await?;
        let refusal = probe.map(|probe| probe.refusal(kind));
        Err(refusal.unwrap_or(GrantRefusal::ExecutionNotFound).into())
    }

    /// Makes the grant that the database holds now.
    pub(super) async fn granted(
        &self,
        kind: GrantKind,
        granted: Granted,
        wanted: &IssueGrant,
    ) -> Result<Grant, Error> {
        let capability_hash = capability_hash(&wanted.capabilities);
        let Granted {
            execution_id,
            namespace,
            grant_id,
            until: expires_at,
        } = granted;
        let held = HeldGrant {
            execution_id,
            namespace,
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
    pub(super) fn check(&self) -> Result<(), Invalid> {
        model::worker_name("worker_id", &self.worker_id)?;
        model::worker_name("worker_instance_id", &self.worker_instance_id)?;
        model::capabilities("capabilities", &self.capabilities)?;
        model::check_range("grant_ttl_ms", self.grant_ttl_ms, Limits::GRANT_TTL_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_hash_does_not_depend_on_the_order() {
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
