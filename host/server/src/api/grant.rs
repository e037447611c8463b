//! Claims in two steps.

use std::collections::BTreeSet;

use model::{ExecutionId, GrantKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

const fn grant_ttl_ms() -> u32 {
    10_000
}

const fn lease_ttl_ms() -> u32 {
    30_000
}

/// What waits in a lane, in the order of service.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EligibleExecutions {
    /// The executions.
    pub executions: Vec<EligibleExecution>,
    /// Rows that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// An execution that may be granted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EligibleExecution {
    /// Its id.
    pub id: String,
    /// Which handler it needs.
    pub kind: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// Since when it waits.
    #[schema(format = DateTime)]
    pub ready_at: String,
    /// What a worker must offer, sorted.
    pub required_capabilities: Vec<String>,
    /// Whether its last holder was lost: it may be granted as a reclaim.
    pub reclaimable: bool,
}

/// To whom an execution shall be granted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantFor {
    /// The worker, over its restarts.
    pub worker_id: String,
    /// The process; it will hold the lease.
    pub worker_instance_id: String,
    /// What the worker offers; the execution requires no more.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Life of the grant in milliseconds, 1 to 60000; 10000 when absent.
    #[serde(default = "grant_ttl_ms")]
    pub grant_ttl_ms: u32,
}

/// What a worker is ready to run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimForWorker {
    /// The lane to take from.
    pub lane: String,
    /// The worker, over its restarts.
    pub worker_id: String,
    /// Kinds it can run; any when absent.
    #[serde(default)]
    pub kinds: Option<BTreeSet<String>>,
    /// What it offers.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Life of the grant in milliseconds, 1 to 60000; 10000 when absent.
    #[serde(default = "grant_ttl_ms")]
    pub grant_ttl_ms: u32,
}

/// A promise of an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedGrant {
    /// The execution.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// `claim` or `reclaim`: where it is turned into a lease.
    #[schema(value_type = String)]
    pub kind: GrantKind,
    /// Proof of the promise, for the worker. Opaque; good for one lease.
    pub grant: String,
    /// Until when it holds.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// What the worker offered: the first 16 hexadecimal digits of the SHA-256 of its
    /// capabilities, sorted and separated by commas.
    pub capability_hash: String,
}

/// What was found for a worker.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GrantedClaim {
    /// The grant; absent when there is no work for it.
    pub granted: Option<IssuedGrant>,
}

/// A grant to be turned into a lease.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// The proof.
    pub grant: String,
    /// What the worker offers now, as the grant names it: the grant is refused if it
    /// was issued for something else. Not looked at when absent.
    #[serde(default)]
    pub capability_hash: Option<String>,
    /// Life of the lease in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eligible_execution_fits_its_schema() {
        let one = engine::Eligible {
            id: ExecutionId::from_parts(model::Partition::new(0).expect("zero"), 1, 1),
            kind: "k".into(),
            priority: 1,
            ready_at: OffsetDateTime::UNIX_EPOCH,
            required_capabilities: vec!["gpu".into()],
            reclaimable: false,
        };
        let text = serde_json::to_string(&one).expect("writes");
        serde_json::from_str::<EligibleExecution>(&text).expect("fits");
    }
}
