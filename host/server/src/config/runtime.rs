//! Section `[runtime]`: how guests are compiled and held.

use std::net::SocketAddr;
use std::path::PathBuf;

use runtime::{CompileIn, Pooling};
use serde::{Deserialize, Serialize};

use super::Config;

/// How guests are compiled and held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// Where compiled code is kept; absent, in the data directory if one is
    /// named, else where the system keeps caches.
    pub cache_dir: Option<PathBuf>,
    /// Where sandboxes get their memory from: `auto` (a pool reserved at start,
    /// the system if that fails), `required` (a pool) or `off` (the system).
    pub pooling: Pooling,
    /// Most sandboxes open at once, as far as the machine can hold them; 0 for the worker's slots, an eighth more for
    /// those that are just closing, and its services.
    pub sandboxes_max: u32,
    /// Most memory all sandboxes hold together, in bytes; 0 for half of what this
    /// process may use: of its control group's limit, or else of the machine's memory.
    pub memory_bytes_max: u64,
    /// Threads guests run on; 0 for as many as there are processors.
    pub guest_threads: u32,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            cache_dir: None,
            pooling: Pooling::Auto,
            sandboxes_max: 0,
            memory_bytes_max: 0,
            guest_threads: 0,
        }
    }
}

impl Config {
    /// Returns where compiled code is kept.
    pub fn code_dir(&self) -> PathBuf {
        let named = self.runtime.cache_dir.clone();
        let below_data = || Some(self.database.data_dir.as_ref()?.join("compiled"));
        let of_system = || Some(pgserver::default_cache_dir().ok()?.join("compiled"));
        named
            .or_else(below_data)
            .or_else(of_system)
            .unwrap_or_else(|| std::env::temp_dir().join("flowhost-compiled"))
    }

    /// Returns the settings of the runtime. `compiler` is the binary whose
    /// `__compile` command turns components into machine code.
    pub fn runtime_settings(&self, compiler: PathBuf) -> runtime::RuntimeSettings {
        runtime::RuntimeSettings {
            cache_dir: self.code_dir(),
            compiler: CompileIn::Child(compiler),
            limits: self.sandbox,
            pooling: self.runtime.pooling,
            sandboxes_max: match self.runtime.sandboxes_max {
                0 => self
                    .worker
                    .slots
                    .saturating_add(self.worker.slots / 8 + 8)
                    .saturating_add(self.worker.services_max),
                max => max,
            },
            memory_bytes_max: self.runtime.memory_bytes_max,
            guest_threads: self.runtime.guest_threads as usize,
        }
    }

    /// Returns the settings of the worker, called `instance_id`, of a host whose
    /// API listens on `bound`.
    pub fn worker_settings(
        &self,
        instance_id: String,
        bound: SocketAddr,
    ) -> runtime::WorkerSettings {
        runtime::WorkerSettings {
            instance_id,
            lanes: self.worker.lanes.clone(),
            slots: self.worker.slots,
            lease_ttl_ms: self.worker.lease_ttl_ms,
            capabilities: self.worker.capabilities.clone(),
            services_per_component: self.worker.services_per_component,
            services_max: self.worker.services_max,
            service_leases_max: self.worker.service_leases_max,
            callback_prefix: self.http.callback_prefix(bound).into(),
        }
    }
}
