//! Limits of one sandbox.

use serde::{Deserialize, Serialize};

/// Limits of one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxLimits {
    /// Most bytes of memory: all linear memories, all tables, and what the host
    /// keeps for the guest (its task, requests, signals and leases, and what its
    /// calls carry), together. The log has a bound of its own.
    pub memory_bytes_max: u64,
    /// Most elements, all tables together.
    pub table_elements_max: u32,
    /// Most core instances at the same time.
    pub instances_max: u32,
    /// Most tables at the same time.
    pub tables_max: u32,
    /// Most linear memories at the same time.
    pub memories_max: u32,
    /// Most resource handles of the engine's interfaces held at once, and as many
    /// of WASI's.
    pub handles_max: u32,
    /// Most bytes a guest passes to the host in one call.
    pub host_call_bytes_max: u32,
    /// Most calls into the engine's interfaces; for a service, in a minute and
    /// between the start or end of one lease and the next.
    pub host_calls_max: u32,
    /// Most random bytes in one call.
    pub random_bytes_max: u32,
    /// Most bytes of the attempt's log; what exceeds it is counted and dropped.
    pub log_bytes_max: u32,
    /// Most records of the attempt's log.
    pub log_records_max: u32,
    /// Most frames that a guest appends to the stream of its attempt under one lease.
    pub stream_frames_max: u32,
    /// Most bytes of such frames, together.
    pub stream_bytes_max: u32,
    /// Most time spent computing, in milliseconds; for a service, under a lease
    /// without taking or ending one.
    pub cpu_ms_max: u32,
    /// Time between a cancellation and the stop, in milliseconds; for a service
    /// also between the loss of a lease it keeps and the stop.
    pub cancel_grace_ms: u32,
    /// Time between the end of an attempt that its handler recorded itself
    /// (through `complete` or `suspend`) and the stop of the handler, in
    /// milliseconds.
    pub outcome_grace_ms: u32,
    /// Longest attempt, in milliseconds, also if its policy allows more.
    pub attempt_ms_max: u32,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            table_elements_max: 20_000,
            instances_max: 64,
            tables_max: 32,
            memories_max: 8,
            handles_max: 1024,
            host_call_bytes_max: 4 << 20,
            host_calls_max: 100_000,
            random_bytes_max: 64 << 10,
            log_bytes_max: 64 << 10,
            log_records_max: 2000,
            stream_frames_max: 100_000,
            stream_bytes_max: 64 << 20,
            cpu_ms_max: 10_000,
            cancel_grace_ms: 500,
            outcome_grace_ms: 5_000,
            attempt_ms_max: 3_600_000,
        }
    }
}
