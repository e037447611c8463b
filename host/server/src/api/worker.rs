//! The registry of workers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

const fn liveness_ttl_ms() -> u32 {
    30_000
}

/// What a worker says about itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterNativeWorker {
    /// The worker, over its restarts: 1 to 128 bytes of printable ASCII.
    pub worker_id: String,
    /// The process; new at each start: 1 to 128 bytes of printable ASCII.
    pub worker_instance_id: String,
    /// Kinds it can run; they can be created from now on, whoever runs them.
    #[serde(default)]
    pub kinds: BTreeSet<String>,
    /// Lanes it serves; every lane when empty.
    #[serde(default)]
    pub lanes: BTreeSet<String>,
    /// What it offers.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// How long it is believed to live after a word from it, in milliseconds,
    /// 1000 to 3600000; 30000 when absent.
    #[serde(default = "liveness_ttl_ms")]
    pub liveness_ttl_ms: u32,
    /// Which namespace it works for; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The machine it runs on, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its version, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What registering did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RegisteredWorker {
    /// The process.
    pub worker_instance_id: String,
    /// Whether it was live already.
    pub refreshed: bool,
    /// Until when it is believed to live.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// What a heartbeat did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Beat {
    /// Until when the worker is believed to live.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub next_expiry: OffsetDateTime,
}

/// That a worker is dead.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkWorkerDead {
    /// Why, for people: 1 to 256 bytes without control characters.
    pub reason: String,
    /// Whether its leases end now rather than when they lapse: its executions
    /// are reclaimed by others at once.
    #[serde(default)]
    pub revoke_leases: bool,
}

/// What marking a worker dead did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadWorker {
    /// The process.
    pub worker_instance_id: String,
    /// Whether it was dead before.
    pub already: bool,
    /// How many leases were revoked.
    pub revoked: u64,
}

/// A page of workers, by the names of their instances.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WorkerPage {
    /// The workers.
    pub workers: Vec<Worker>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// A worker.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// The process.
    pub worker_instance_id: String,
    /// The worker, over its restarts.
    pub worker_id: String,
    /// `host` runs components; `native` is a program that speaks to the API.
    pub worker_type: String,
    /// Which namespace it works for; absent for all.
    pub namespace: Option<String>,
    /// Lanes it serves; empty for all.
    pub lanes: Vec<String>,
    /// Kinds it can run.
    pub kinds: Vec<String>,
    /// What it offers.
    pub capabilities: Vec<String>,
    /// The machine it runs on.
    pub host: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How long it is believed to live after a word from it, in milliseconds.
    pub liveness_ttl_ms: u32,
    /// Since when it is live.
    #[schema(format = DateTime)]
    pub registered_at: String,
    /// When it was heard from last.
    #[schema(format = DateTime)]
    pub heartbeat_at: String,
    /// Until when it is believed to live.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Whether it is believed to live now.
    pub live: bool,
    /// When it was found dead.
    #[schema(format = DateTime)]
    pub dead_at: Option<String>,
    /// Why it is dead.
    pub dead_reason: Option<String>,
    /// How many leases it holds.
    pub leases: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_fits_its_schema() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let worker = engine::WorkerInfo {
            worker_instance_id: "w-1".into(),
            worker_id: "w".into(),
            worker_type: model::WorkerType::Native,
            namespace: None,
            lanes: vec![],
            kinds: vec!["k".into()],
            capabilities: vec![],
            host: None,
            version: None,
            liveness_ttl_ms: 30_000,
            registered_at: at,
            heartbeat_at: at,
            expires_at: at,
            live: false,
            dead_at: Some(at),
            dead_reason: Some("gone".into()),
            leases: 0,
        };
        let text = serde_json::to_string(&worker).expect("writes");
        serde_json::from_str::<Worker>(&text).expect("fits");
    }
}
