//! What an attempt used.

use serde::{Deserialize, Serialize};

/// What an attempt used, as metered by the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Time in guest code, in ticks of 10 ms.
    pub cpu_ticks: u32,
    /// Peak of the memory of the sandbox in bytes: linear memories, tables, and what
    /// the host kept for the guest.
    pub memory_peak_bytes: u64,
    /// Number of calls from the guest into the host.
    pub host_calls: u32,
    /// Bytes of log, result and requests the guest produced.
    pub bytes_out: u64,
    /// Time from opening the sandbox to its end, in microseconds.
    pub wall_us: u64,
}
