//! What the runtime reports about itself, under the names by which operators read it.

use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use crate::component::registry::Registry;
use crate::worker::Counters;

/// Registers everything as it is now, for one scrape.
pub(crate) fn register(
    metrics: &mut prometheus_client::registry::Registry,
    counters: &Counters,
    registry: &Registry,
    publishing: usize,
) {
    let now = |gauge: &Gauge| gauge.get().unsigned_abs();
    let budget = registry.budget().occupancy();
    let code = registry.stats();
    for (name, help, value) in [
        (
            "attempts_started",
            "Attempts this host began",
            counters.started.get(),
        ),
        (
            "outcomes_unrecorded",
            "Attempts whose outcome could not be recorded before the lease ended",
            counters.unrecorded.get(),
        ),
        ("claims", "Claims this host sent", counters.claims.get()),
        (
            "claim_faults",
            "Claims of this host that failed",
            counters.claim_faults.get(),
        ),
        (
            "leases_renewed",
            "Leases this host renewed",
            counters.renewed.get(),
        ),
        (
            "sandboxes_refused",
            "Sandboxes stopped because others held the memory they wanted",
            budget.refused,
        ),
        (
            "service_restarts",
            "Worker components of this host that ended by themselves and were started again",
            counters.service_restarts.get(),
        ),
        ("compiles", "Components this host compiled", code.compiles),
        (
            "guest_ticks",
            "Ticks of the thread that interrupts guests",
            registry.wasm().ticks(),
        ),
    ] {
        metrics.register(name, help, ConstCounter::new(value));
    }
    for (name, help, value) in [
        (
            "sandboxes_live",
            "Sandboxes open on this host",
            now(&counters.sandboxes_open),
        ),
        (
            "sandboxes_max",
            "Most sandboxes open at the same time on this host",
            budget.sandboxes_max,
        ),
        (
            "sandboxes_waiting",
            "Attempts and services that wait for room for their sandbox",
            budget.opening,
        ),
        (
            "sandboxes_growing",
            "Sandboxes that wait for memory",
            budget.growing,
        ),
        (
            "sandbox_memory_bytes",
            "Memory that the sandboxes of this host hold",
            budget.bytes,
        ),
        (
            "sandbox_memory_bytes_max",
            "Most memory that the sandboxes of this host hold together",
            budget.bytes_max,
        ),
        (
            "sandbox_pool_kept_bytes_max",
            "Most memory that closed sandboxes leave in the pool, beside what open ones hold",
            registry.budget().kept_bytes(),
        ),
        (
            "services_running",
            "Worker components running on this host",
            now(&counters.services),
        ),
        (
            "compiling",
            "Components this host compiles, and those that wait for it",
            code.compiling,
        ),
        (
            "publishing",
            "Components this host publishes",
            publishing as u64,
        ),
        (
            "components_loaded",
            "Components this host has in memory",
            code.loaded,
        ),
        (
            "components_unavailable",
            "Components routed to that this host cannot run now",
            now(&counters.unavailable),
        ),
        (
            "code_loaded_bytes",
            "Compiled code this host has in memory",
            code.loaded_bytes,
        ),
        (
            "code_cached_bytes",
            "Compiled code this host has on disk",
            code.cache_bytes,
        ),
    ] {
        metrics.register(name, help, ConstGauge::new(value));
    }
    metrics.register(
        "sandbox_wall_seconds",
        "Time that attempts spent in their sandbox",
        counters.wall(),
    );
    let ended = Family::<[(&str, String); 1], Counter>::default();
    for (end, count) in counters.ends() {
        ended.get_or_create(&[("end", label(&end))]).inc_by(count);
    }
    metrics.register(
        "attempts_ended",
        "Attempts of this host that ended, by outcome or code of the failure",
        ended,
    );
}

/// Replaces what could end a label: guests choose the codes of failures.
fn label(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_be_ended_by_a_guest() {
        assert_eq!(label("bad_input"), "bad_input");
        assert_eq!(label("a\"} 1\nb"), "a___1_b");
    }
}
