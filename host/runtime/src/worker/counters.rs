//! Counters of what the workers of this host do.

use std::collections::BTreeMap;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the buckets for time in a sandbox, in seconds: from guests that only
/// compute to those that run for an hour.
const WALL_BUCKETS: [f64; 14] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0,
];

/// Counts since the start of the runtime.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) started: Counter,
    pub(crate) claims: Counter,
    pub(crate) claim_faults: Counter,
    pub(crate) sandboxes_open: Gauge,
    pub(crate) renewed: Counter,
    pub(crate) unrecorded: Counter,
    pub(crate) services: Gauge,
    pub(crate) service_restarts: Counter,
    /// Components routed to that cannot be run here now.
    pub(crate) unavailable: Gauge,
    last_opened: Mutex<Option<Instant>>,
    ends: Mutex<BTreeMap<String, u64>>,
    wall: Wall,
}

/// How long attempts were in their sandbox.
#[derive(Debug)]
struct Wall(Histogram);

impl Default for Wall {
    fn default() -> Self {
        Self(Histogram::new(WALL_BUCKETS))
    }
}

impl Counters {
    /// Counts a sandbox that is opened for an attempt.
    pub(crate) fn count_opening(&self) {
        self.sandboxes_open.inc();
        *self.last_opened.lock() = Some(Instant::now());
    }

    /// Returns when a sandbox opened last.
    pub(crate) fn last_opened(&self) -> Option<Instant> {
        *self.last_opened.lock()
    }

    /// Counts an attempt that ended with `label` after `wall_us` microseconds.
    pub(crate) fn count_end(&self, label: &str, wall_us: u64) {
        const LABELS_MAX: usize = 200;
        self.wall.0.observe(wall_us as f64 / 1e6);
        let mut ends = self.ends.lock();
        if let Some(count) = ends.get_mut(label) {
            *count += 1;
            return;
        }
        // Guests invent codes, so the number of labels is bounded.
        let label = if ends.len() < LABELS_MAX {
            label
        } else {
            "other"
        };
        *ends.entry(label.to_owned()).or_default() += 1;
    }

    /// Returns the attempts ended, by label.
    pub(crate) fn ends(&self) -> BTreeMap<String, u64> {
        self.ends.lock().clone()
    }

    /// Returns the times that attempts spent in their sandbox.
    pub(crate) fn wall(&self) -> Histogram {
        self.wall.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_the_sandbox_is_counted_in_buckets() {
        let counters = Counters::default();
        for wall_us in [40, 41, 42, 5000] {
            counters.count_end("completed", wall_us);
        }
        assert_eq!(counters.ends()["completed"], 4);
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("wall", "Time", counters.wall());
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).expect("text");
        for line in [
            "wall_bucket{le=\"0.0001\"} 3",
            "wall_bucket{le=\"0.005\"} 4",
            "wall_count 4",
        ] {
            assert!(page.lines().any(|it| it == line), "{line}\n{page}");
        }
    }

    #[test]
    fn guests_cannot_grow_the_counters_without_bound() {
        let counters = Counters::default();
        for n in 0..1000 {
            counters.count_end(&format!("code_{n}"), 1);
        }
        let ends = counters.ends();
        assert_eq!(ends.len(), 201);
        assert_eq!(ends["other"], 800);
    }
}
