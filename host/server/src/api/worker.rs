//! The registry of workers.

use std::collections::BTreeSet;

use model::WorkerType;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};

const fn liveness_ttl_ms() -> u32 {
    30_000
}

/// A native worker that registers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterNativeWorker {
    /// Name of the worker, the same over its restarts: 1 to 128 bytes of printable ASCII.
    pub worker_id: String,
    /// Name of its process, new at each start: 1 to 128 bytes of printable ASCII.
    pub worker_instance_id: String,
    /// Kinds it can run; executions of them can be created from now on.
    #[serde(default)]
    pub kinds: BTreeSet<String>,
    /// Lanes it serves; every lane when empty.
    #[serde(default)]
    pub lanes: BTreeSet<String>,
    /// Capabilities it has, as executions require them.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Time after each heartbeat during which it counts as live, in milliseconds, 1000
    /// to 3600000; 30000 when absent.
    #[serde(default = "liveness_ttl_ms")]
    pub liveness_ttl_ms: u32,
    /// Namespace it works for; when absent the only one in which it may, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Machine it runs on, for people; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Version of the worker, for people; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What registering a worker did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RegisteredWorker {
    /// Name of the process that registered.
    pub worker_instance_id: String,
    /// Whether it was live already.
    pub refreshed: bool,
    /// Time it counts as live until.
    #[serde(with = "rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// What a heartbeat did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Beat {
    /// Time the worker counts as live until.
    #[serde(with = "rfc3339")]
    pub next_expiry: OffsetDateTime,
}

/// Why a worker is dead.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkWorkerDead {
    /// Why, for people: 1 to 256 bytes without control characters.
    pub reason: String,
    /// Whether its leases end now rather than when they expire, so that other workers
    /// reclaim its executions immediately.
    #[serde(default)]
    pub revoke_leases: bool,
}

/// What marking a worker dead did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadWorker {
    /// Name of the process that is dead.
    pub worker_instance_id: String,
    /// Whether it was marked dead before.
    pub already: bool,
    /// Number of leases that were revoked.
    pub revoked: u64,
}

pages! {
    /// A page of workers, by instance.
    WorkerPage of engine::WorkerInfo {
        /// The workers of the page.
        workers: Vec<Worker>,
    }
}

answers! {
    /// A worker in the registry.
    Worker(info: engine::WorkerInfo) {
        /// Name of its process, new at each start.
        worker_instance_id: String,
        /// Name of the worker, the same over its restarts.
        worker_id: String,
        /// `host` runs components; `native` is a program that uses the API.
        #[schema(value_type = String)]
        worker_type: WorkerType,
        /// Namespace it works for; null for all.
        namespace: Option<String>,
        /// Lanes it serves; empty for all.
        lanes: Vec<String>,
        /// Kinds it can run.
        kinds: Vec<String>,
        /// Capabilities it has, as executions require them.
        capabilities: Vec<String>,
        /// Machine it runs on; null when it did not say.
        host: Option<String>,
        /// Version of the worker; null when it did not say.
        version: Option<String>,
        /// Time after each heartbeat during which it counts as live, in milliseconds.
        liveness_ttl_ms: u32,
        /// Time the worker registered.
        #[serde(with = "rfc3339")]
        registered_at: OffsetDateTime,
        /// Time of its last heartbeat.
        #[serde(with = "rfc3339")]
        heartbeat_at: OffsetDateTime,
        /// Time it counts as live until, unless another heartbeat comes.
        #[serde(with = "rfc3339")]
        expires_at: OffsetDateTime,
        /// Whether it counts as live now.
        live: bool,
        /// Time it was found or marked dead; null before.
        #[serde(with = "rfc3339::option")]
        dead_at: Option<OffsetDateTime>,
        /// Why it is dead; null before.
        dead_reason: Option<String>,
        /// Number of leases it holds.
        leases: u64,
        /// Whether they were all counted; false when the instance has more than 100000
        /// leases, and then it holds at least so many.
        leases_exact: bool,
    }
}
