//! Settings of one worker.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Beginning of callback URLs unless the operator sets another: the route of this host,
/// as a relative URL.
pub const CALLBACK_PREFIX: &str = "/v1/callbacks/";

/// Settings of one worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Name of the worker in leases and events.
    pub instance_id: String,
    /// Lanes it claims from; all lanes if empty.
    pub lanes: Vec<String>,
    /// Attempts it runs at the same time.
    pub slots: u32,
    /// TTL of a lease, in milliseconds.
    pub lease_ttl_ms: u32,
    /// Capabilities it has, for executions that require some.
    pub capabilities: BTreeSet<String>,
    /// Sandboxes of each component of the world `service`.
    pub services_per_component: u32,
    /// Sandboxes of such components, all together.
    pub services_max: u32,
    /// Leases that the sandbox of a service may hold at the same time.
    pub service_leases_max: u32,
    /// Beginning of callback URLs, at which a request from outside becomes a signal; the
    /// token follows.
    pub callback_prefix: Arc<str>,
}
