//! Section `[runtime]`: how guests are compiled and held.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::{Invalid, ensure};
use runtime::{CodeLimits, CompileIn, Pooling};
use serde::{Deserialize, Serialize};

use super::Config;
use super::check::above_zero;

/// Least address space that a compiler starts in, in bytes.
const COMPILE_MEMORY_BYTES_MIN: u64 = 512 << 20;
/// Bytes of a file of the cache besides code.
const CACHE_FILE_EXTRA_BYTES: u64 = 64;

/// How guests are compiled and held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// Directory for compiled code; when absent, one in the data directory if that is
    /// configured, else one in the cache directory of the system.
    pub cache_dir: Option<PathBuf>,
    /// Where sandboxes get their memory from: `auto` (a pool reserved at start,
    /// the system if that fails), `required` (a pool) or `off` (the system).
    pub pooling: Pooling,
    /// Most sandboxes open at once, as far as the machine can hold them; 0 for the
    /// worker's slots, an eighth more for those that are closing, and its services.
    pub sandboxes_max: u32,
    /// Most memory all sandboxes hold together, in bytes; 0 for half of what this
    /// process may use: of its control group's limit, or else of the machine's memory.
    pub memory_bytes_max: u64,
    /// Threads for guests that just began, and as many for guests that compute for
    /// long; 0 for as many as there are processors.
    pub guest_threads: u32,
    /// Most bytes one component compiles to.
    pub compiled_bytes_max: u64,
    /// Most bytes of compiled code in memory, all components together.
    pub loaded_bytes_max: u64,
    /// Most bytes of compiled code kept on disk.
    pub cache_bytes_max: u64,
    /// Most processor time one component takes to compile, in milliseconds.
    pub compile_cpu_ms_max: u32,
    /// Most memory of the process that compiles one, in bytes of address space.
    pub compile_memory_bytes_max: u64,
}

impl Default for Runtime {
    fn default() -> Self {
        let code = CodeLimits::default();
        Self {
            cache_dir: None,
            pooling: Pooling::Auto,
            sandboxes_max: 0,
            memory_bytes_max: 0,
            guest_threads: 0,
            compiled_bytes_max: code.compiled_bytes_max,
            loaded_bytes_max: code.loaded_bytes_max,
            cache_bytes_max: code.cache_bytes_max,
            compile_cpu_ms_max: code.compile_cpu_ms_max,
            compile_memory_bytes_max: code.compile_memory_bytes_max,
        }
    }
}

impl Runtime {
    /// Checks that a component that may be compiled has room in memory and on disk.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        above_zero("runtime.compiled_bytes_max", self.compiled_bytes_max)?;
        let cpu = self.compile_cpu_ms_max;
        above_zero("runtime.compile_cpu_ms_max", cpu.into())?;
        // With less the compiler does not start.
        let (memory, least) = (self.compile_memory_bytes_max, COMPILE_MEMORY_BYTES_MIN);
        ensure("runtime.compile_memory_bytes_max", memory >= least, || {
            format!("{memory} is out of range: at least {least}")
        })?;
        for (key, value) in [
            ("runtime.loaded_bytes_max", self.loaded_bytes_max),
            ("runtime.cache_bytes_max", self.cache_bytes_max),
        ] {
            let least = self
                .compiled_bytes_max
                .saturating_add(CACHE_FILE_EXTRA_BYTES);
            ensure(key, value >= least, || {
                format!(
                    "{value} is out of range: at least {least}, which one component may take (runtime.compiled_bytes_max)"
                )
            })?;
        }
        Ok(())
    }
}

impl Config {
    /// Returns the directory for compiled code.
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
            code: CodeLimits {
                compiled_bytes_max: self.runtime.compiled_bytes_max,
                loaded_bytes_max: self.runtime.loaded_bytes_max,
                cache_bytes_max: self.runtime.cache_bytes_max,
                compile_cpu_ms_max: self.runtime.compile_cpu_ms_max,
                compile_memory_bytes_max: self.runtime.compile_memory_bytes_max,
            },
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
            callback_prefix: self.callback_prefix(bound).into(),
        }
    }
}
