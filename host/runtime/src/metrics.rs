//! What the runtime reports about itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::component::registry::Registry;
use crate::worker::Counters;

/// What happened since the start, and what there is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Metrics {
    /// Attempts begun since the start.
    pub attempts_started: u64,
    /// Attempts ended, by `completed`, `recorded`, `lease_lost`, `cancelled`
    /// or the code of the failure. Codes beyond the first 200 count as
    /// `other`.
    pub attempts_ended: BTreeMap<String, u64>,
    /// Attempts whose outcome could not be recorded before the lease ended.
    pub outcomes_unrecorded: u64,
    /// Claims sent since the start.
    pub claims: u64,
    /// Claims that failed since the start.
    pub claim_faults: u64,
    /// Renewals of leases since the start.
    pub leases_renewed: u64,
    /// Sandboxes that are open now.
    pub sandboxes_live: u64,
    /// Most sandboxes open at once.
    pub sandboxes_max: u64,
    /// Executions and services that wait for room for their sandbox.
    pub sandboxes_waiting: u64,
    /// Sandboxes that wait for memory.
    pub sandboxes_growing: u64,
    /// Sandboxes stopped because there was no memory for them.
    pub sandboxes_refused: u64,
    /// Memory that sandboxes hold, in bytes.
    pub memory_bytes: u64,
    /// Most memory that sandboxes hold together.
    pub memory_bytes_max: u64,
    /// Most memory that closed sandboxes leave in the pool, beside that.
    pub memory_kept_bytes_max: u64,
    /// Services that are running now.
    pub services_running: u64,
    /// Services that ended by themselves and were started again.
    pub service_restarts: u64,
    /// Components compiled since the start.
    pub compiles: u64,
    /// Components being compiled or waiting for it.
    pub compiling: u64,
    /// Components that are being published now.
    pub publishing: u64,
    /// Components that are in memory now.
    pub components_loaded: u64,
    /// Bytes of their compiled code.
    pub code_loaded_bytes: u64,
    /// Bytes of compiled code on disk.
    pub code_cached_bytes: u64,
    /// Components routed to that cannot be run here now.
    pub components_unavailable: u64,
    /// Time in the sandbox that half of the attempts stayed below, rounded up
    /// to a power of two.
    pub sandbox_wall_us_p50: u64,
    /// The same for 99 of 100.
    pub sandbox_wall_us_p99: u64,
    /// Ticks of the thread that interrupts guests.
    pub ticks: u64,
}

impl Metrics {
    pub(crate) fn read(counters: &Counters, registry: &Registry, publishing: usize) -> Self {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let budget = registry.budget().occupancy();
        let code = registry.stats();
        Self {
            attempts_started: get(&counters.started),
            attempts_ended: counters.ends(),
            outcomes_unrecorded: get(&counters.unrecorded),
            claims: get(&counters.claims),
            claim_faults: get(&counters.claim_faults),
            leases_renewed: get(&counters.renewed),
            sandboxes_live: get(&counters.sandboxes_open),
            sandboxes_max: budget.sandboxes_max,
            sandboxes_waiting: budget.opening,
            sandboxes_growing: budget.growing,
            sandboxes_refused: budget.refused,
            memory_bytes: budget.bytes,
            memory_bytes_max: budget.bytes_max,
            memory_kept_bytes_max: registry.budget().kept_bytes(),
            services_running: get(&counters.services),
            service_restarts: get(&counters.service_restarts),
            compiles: code.compiles,
            compiling: code.compiling,
            publishing: publishing as u64,
            components_loaded: code.loaded,
            code_loaded_bytes: code.loaded_bytes,
            code_cached_bytes: code.cache_bytes,
            components_unavailable: get(&counters.unavailable),
            sandbox_wall_us_p50: counters.wall_us_quantile(50),
            sandbox_wall_us_p99: counters.wall_us_quantile(99),
            ticks: registry.wasm().ticks(),
        }
    }
}
