//! Limits of compiling and of compiled code, and where components are compiled.

use std::path::PathBuf;

/// Limits of compiling and of compiled code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLimits {
    /// Most bytes one component compiles to.
    pub compiled_bytes_max: u64,
    /// Most bytes of compiled code in memory, all components together. One that
    /// is being loaded or checked comes on top.
    pub loaded_bytes_max: u64,
    /// Most bytes of compiled code kept in [`RuntimeSettings::cache_dir`](super::RuntimeSettings::cache_dir).
    pub cache_bytes_max: u64,
    /// Most processor time one component takes to compile, in milliseconds,
    /// rounded up to whole seconds.
    pub compile_cpu_ms_max: u32,
    /// Most address space of the process that compiles one, in bytes.
    pub compile_memory_bytes_max: u64,
}

impl Default for CodeLimits {
    fn default() -> Self {
        Self {
            compiled_bytes_max: 256 << 20,
            loaded_bytes_max: 1 << 30,
            cache_bytes_max: 4 << 30,
            compile_cpu_ms_max: 60_000,
            compile_memory_bytes_max: 4 << 30,
        }
    }
}

/// Where components are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileIn {
    /// In a child process of this program, called with
    /// [`COMPILE_ARGUMENT`](crate::COMPILE_ARGUMENT).
    Child(PathBuf),
    /// In this process, without limits: for components of one's own, as a
    /// developer runs them, and for tests.
    Process,
}
