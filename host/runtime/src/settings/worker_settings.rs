//! What one worker does.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What addresses of callbacks begin with when nobody says otherwise: the route
/// of this host, relative to wherever it is reached.
pub const CALLBACK_PREFIX: &str = "/v1/callbacks/";

/// What one worker does.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Names the worker in leases and events.
    pub instance_id: String,
    /// Lanes it claims from; every lane if empty.
    pub lanes: Vec<String>,
    /// Attempts it runs at once.
    pub slots: u32,
    /// Life of a lease, in milliseconds.
    pub lease_ttl_ms: u32,
    /// What it offers to executions that require capabilities.
    pub capabilities: BTreeSet<String>,
    /// Sandboxes of each component of the world `worker`.
    pub services_per_component: u32,
    /// Sandboxes of such components, all together.
    pub services_max: u32,
    /// Leases one of them may hold at once.
    pub service_leases_max: u32,
    /// What the addresses begin with at which a request from outside becomes a
    /// signal; the token follows.
    pub callback_prefix: Arc<str>,
}

impl WorkerSettings {
    /// Returns the defaults: every lane, 64 slots, leases of 30 s, one sandbox
    /// of each service.
    pub fn new(instance_id: impl Into<String>) -> Self {
        Self {
            instance_id: instance_id.into(),
            lanes: Vec::new(),
            slots: 64,
            lease_ttl_ms: 30_000,
            capabilities: BTreeSet::new(),
            services_per_component: 1,
            services_max: 16,
            service_leases_max: 16,
            callback_prefix: Arc::from(CALLBACK_PREFIX),
        }
    }
}
