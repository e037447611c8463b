//! Claims in two steps: a scheduler grants, and the worker claims with the grant.

use std::collections::BTreeSet;

use model::{ExecutionId, GrantKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::claim::lease_ttl_ms;
use crate::api::answer::{answers, pages};

const fn grant_ttl_ms() -> u32 {
    10_000
}

pages! {
    /// A page of the executions that wait in a lane and may be granted, in the order of
    /// service.
    EligibleExecutions of engine::Eligible {
        /// The executions of the page.
        executions: Vec<EligibleExecution>,
    }
}

answers! {
    /// An execution that may be granted.
    EligibleExecution(eligible: engine::Eligible) {
        /// Id of the execution.
        id: ExecutionId as String,
        /// Kind, which names the handler it needs.
        kind: String,
        /// 0 to 9000; within its partition a higher one is served first.
        priority: u16,
        /// Time it became ready.
        #[serde(with = "rfc3339")]
        ready_at: OffsetDateTime,
        /// Capabilities a worker must have, sorted.
        required_capabilities: Vec<String>,
        /// Whether its last holder was lost, so that it may be granted as a reclaim.
        reclaimable: bool,
    }

    /// A grant of an execution to a worker.
    IssuedGrant(grant: engine::Grant) {
        /// Id of the execution.
        execution_id: ExecutionId as String,
        /// `claim` or `reclaim`: the route that turns it into a lease.
        kind: GrantKind as String,
        /// Handle of the grant, for the worker. Opaque; good for one lease.
        grant: String = grant.handle,
        /// Time the grant expires.
        #[serde(with = "rfc3339")]
        expires_at: OffsetDateTime,
        /// First 16 hexadecimal digits of the SHA-256 of the worker's capabilities,
        /// sorted and separated by commas.
        capability_hash: String,
    }
}

/// The worker an execution is to be granted to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantFor {
    /// Name of the worker, the same over its restarts.
    pub worker_id: String,
    /// Name of its process, which will hold the lease.
    pub worker_instance_id: String,
    /// Capabilities of the worker; the execution must require no others.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Duration of the grant in milliseconds, 1 to 60000; 10000 when absent.
    #[serde(default = "grant_ttl_ms")]
    pub grant_ttl_ms: u32,
}

/// The next execution that fits a worker.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimForWorker {
    /// Lane to take an execution from.
    pub lane: String,
    /// Name of the worker, the same over its restarts.
    pub worker_id: String,
    /// Kinds the worker can run; any when absent.
    #[serde(default)]
    pub kinds: Option<BTreeSet<String>>,
    /// Capabilities of the worker; the execution must require no others.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Duration of the grant in milliseconds, 1 to 60000; 10000 when absent.
    #[serde(default = "grant_ttl_ms")]
    pub grant_ttl_ms: u32,
}

/// The grant that was found for a worker.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GrantedClaim {
    /// The grant; null when no execution fits the worker.
    pub granted: Option<IssuedGrant>,
}

/// A grant to turn into a lease.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// Handle of the grant.
    pub grant: String,
    /// Hash of the worker's capabilities now: the grant is refused if it was issued for
    /// others. Not checked when absent.
    #[serde(default)]
    pub capability_hash: Option<String>,
    /// Duration of the lease in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
}
