//! Counters of what the workers of this host do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

/// Powers of two of microseconds: the last one is above an hour.
const BUCKETS: usize = 32;

/// Counts since the start of the runtime.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) started: AtomicU64,
    pub(crate) claims: AtomicU64,
    pub(crate) claim_faults: AtomicU64,
    pub(crate) sandboxes_open: AtomicU64,
    pub(crate) renewed: AtomicU64,
    pub(crate) unrecorded: AtomicU64,
    pub(crate) services: AtomicU64,
    pub(crate) service_restarts: AtomicU64,
    /// Components routed to that cannot be run here now.
    pub(crate) unavailable: AtomicU64,
    last_opened: Mutex<Option<Instant>>,
    ends: Mutex<BTreeMap<String, u64>>,
    wall: [AtomicU64; BUCKETS],
}

impl Counters {
    /// Counts a sandbox that is opened for an attempt.
    pub(crate) fn count_opening(&self) {
        self.sandboxes_open.fetch_add(1, Ordering::Relaxed);
        *self.last_opened.lock() = Some(Instant::now());
    }

    /// Returns when a sandbox opened last.
    pub(crate) fn last_opened(&self) -> Option<Instant> {
        *self.last_opened.lock()
    }

    /// Counts an attempt that ended with `label` after `wall_us` microseconds.
    pub(crate) fn count_end(&self, label: &str, wall_us: u64) {
        const LABELS_MAX: usize = 200;
        let bucket = (64 - wall_us.leading_zeros() as usize).min(BUCKETS - 1);
        self.wall[bucket].fetch_add(1, Ordering::Relaxed);
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

    /// Returns the microseconds in the sandbox that `percent` of the attempts stayed
    /// below, rounded up to a power of two.
    pub(crate) fn wall_us_quantile(&self, percent: u64) -> u64 {
        let counts: Vec<u64> = self
            .wall
            .iter()
            .map(|b| b.load(Ordering::Relaxed))
            .collect();
        let rank = (counts.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if rank > 0 && seen >= rank {
                return 1 << bucket;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_power_of_two_above() {
        let counters = Counters::default();
        assert_eq!(counters.wall_us_quantile(50), 0);
        for wall_us in [40, 41, 42, 5000] {
            counters.count_end("completed", wall_us);
        }
        assert_eq!(counters.wall_us_quantile(50), 64);
        assert_eq!(counters.wall_us_quantile(99), 8192);
        assert_eq!(counters.ends()["completed"], 4);
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
