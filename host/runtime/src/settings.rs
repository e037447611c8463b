//! Settings of the runtime and of a worker.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::compile::CompileIn;
use crate::engine_config::Pooling;
use crate::limits::SandboxLimits;

/// What addresses of callbacks begin with when nobody says otherwise: the route
/// of this host, relative to wherever it is reached.
pub const CALLBACK_PREFIX: &str = "/v1/callbacks/";

/// How handlers are run on this host.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Where compiled code is kept; nobody else should be able to write there.
    pub cache_dir: PathBuf,
    /// Where components are compiled.
    pub compiler: CompileIn,
    /// What one sandbox may use.
    pub limits: SandboxLimits,
    /// Where sandboxes get their memory from.
    pub pooling: Pooling,
    /// Most sandboxes open at once, as far as the machine can hold them: all
    /// workers' slots, with room for those that are just closing.
    pub sandboxes_max: u32,
    /// Most memory all sandboxes hold together, in bytes; half of what this process
    /// may use if zero.
    pub memory_bytes_max: u64,
    /// Threads guests run on; as many as there are processors if zero.
    pub guest_threads: usize,
}

impl RuntimeSettings {
    /// Returns the defaults, with the cache in `cache_dir` and this program as
    /// its own compiler.
    ///
    /// # Errors
    ///
    /// If the system does not say which program this is.
    pub fn new(cache_dir: PathBuf) -> std::io::Result<Self> {
        Ok(Self {
            cache_dir,
            compiler: CompileIn::Child(std::env::current_exe()?),
            limits: SandboxLimits::default(),
            pooling: Pooling::Auto,
            sandboxes_max: 256,
            memory_bytes_max: 0,
            guest_threads: 0,
        })
    }
}

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
