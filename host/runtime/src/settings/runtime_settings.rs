//! Settings of the runtime of a host.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{CodeLimits, CompileIn, SandboxLimits};

/// Settings of the runtime of a host.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Directory of compiled code; no other user should be able to write there.
    pub cache_dir: PathBuf,
    /// Whether components are compiled in a child process.
    pub compiler: CompileIn,
    /// Limits of compiling and of compiled code.
    pub code: CodeLimits,
    /// Limits of one sandbox.
    pub limits: SandboxLimits,
    /// Where sandboxes get their memory from.
    pub pooling: Pooling,
    /// Most sandboxes open at once, as far as the machine can hold them: all
    /// workers' slots, with room for those that are just closing.
    pub sandboxes_max: u32,
    /// Most memory all sandboxes hold together, in bytes; half of what this process
    /// may use if zero.
    pub memory_bytes_max: u64,
    /// Threads for guests that just began, and as many for guests that compute for long;
    /// as many as there are processors if zero.
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
            code: CodeLimits::default(),
            limits: SandboxLimits::default(),
            pooling: Pooling::Auto,
            sandboxes_max: 256,
            memory_bytes_max: 0,
            guest_threads: 0,
        })
    }
}

/// Where sandboxes get their memory from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// From a pool reserved at start; from the system if that fails.
    Auto,
    /// From a pool; failing to reserve it is an error.
    Required,
    /// From the system, each time.
    Off,
}
