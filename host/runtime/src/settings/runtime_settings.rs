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
