//! Section `[worker]`: the attempts and services this host runs.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The attempts and services this host runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Most attempts that run at once; 0 makes a host that only serves the API.
    pub slots: u32,
    /// Lanes to serve; empty serves every lane.
    pub lanes: Vec<String>,
    /// Capabilities of this host; it claims only executions that require no others.
    pub capabilities: BTreeSet<String>,
    /// How long a lease lasts without renewal, in milliseconds, 1,000 to
    /// 3,600,000.
    pub lease_ttl_ms: u32,
    /// How long running attempts may take to finish once the host is asked to end, in
    /// milliseconds. Then their executions are returned.
    pub drain_grace_ms: u32,
    /// Number of sandboxes of each service component that is routed to.
    pub services_per_component: u32,
    /// Most sandboxes of all service components together.
    pub services_max: u32,
    /// Most leases one of them may hold at once, at least 1; each takes one slot.
    pub service_leases_max: u32,
    /// Name of this host in leases and histories; a new one at each start when absent.
    pub instance_id: Option<String>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            slots: 256,
            lanes: Vec::new(),
            capabilities: BTreeSet::new(),
            lease_ttl_ms: 30_000,
            drain_grace_ms: 30_000,
            services_per_component: 1,
            services_max: 16,
            service_leases_max: 16,
            instance_id: None,
        }
    }
}

impl Worker {
    /// Returns how long running attempts may take to finish at the end.
    pub fn drain_grace(&self) -> Duration {
        Duration::from_millis(self.drain_grace_ms.into())
    }

    /// Returns the configured name, or a new one: `host-pid-random`.
    pub fn instance_name(&self) -> String {
        self.instance_id.clone().unwrap_or_else(|| {
            let host = Self::hostname().unwrap_or_else(|| "host".to_owned());
            let random = uuid::Uuid::new_v4().simple().to_string();
            format!("{host}-{}-{}", std::process::id(), &random[..6])
        })
    }

    /// Returns the plain characters of this machine's name, if there are any.
    pub fn hostname() -> Option<String> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
        let host: String = host
            .trim()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
            .take(40)
            .collect();
        (!host.is_empty()).then_some(host)
    }
}
