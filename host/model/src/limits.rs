//! Bounds with names. Those of one noun stand beside it, as an `impl Limits` in its
//! file; here are the ones that an operator may change, and those of every request.

use serde::{Deserialize, Serialize};

/// Bounds that an operator may change; the constants hold for every instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most bytes of one input.
    pub input_bytes_max: u32,
    /// Most bytes of one result.
    pub result_bytes_max: u32,
    /// Most bytes of one component.
    pub component_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes_max: 1 << 20,
            result_bytes_max: 1 << 20,
            component_bytes_max: 32 << 20,
        }
    }
}

impl Limits {
    /// Most executions that one statement creates or writes.
    pub const BATCH_MAX: usize = 500;
    /// Most executions of one `POST /v1/executions/batch`.
    pub const CREATE_BATCH_MAX: usize = 1000;
    /// Most rows of one page.
    pub const PAGE_MAX: u32 = 1000;
    /// Rows of a page when the reader names no limit.
    pub const PAGE_DEFAULT: u32 = 50;
    /// Most executions in one state, or ready in one lane, that are counted; of more it is
    /// said about how many, or that there are more.
    pub const COUNTED_MAX: u32 = 10_000;
    /// Most leases that are counted by lane or by worker.
    pub const LEASES_COUNTED_MAX: u32 = 100_000;
    /// Most executions that are looked at for one page of a list, where the filters have no
    /// index of their own; twice the page if that is more.
    pub const EXAMINED_MAX: usize = 500;
    /// Most rows that are looked at in the order of a list for one page of it, where rows
    /// that it does not show lie between: those of other namespaces or in other states.
    pub const WALKED_MAX: usize = 5_000;
    /// Most bytes of a reason or of a progress message.
    pub const REASON_BYTES_MAX: usize = 1024;
    /// Longest delay, backoff, timeout or retention in milliseconds: 10 years.
    pub const DURATION_MS_MAX: u64 = 10 * 365 * 24 * 3600 * 1000;
}
