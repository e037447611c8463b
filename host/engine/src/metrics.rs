//! How long claims and flushes take, for operators.

use std::time::Instant;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Engine;

/// Upper bounds of the buckets, in seconds: from one round trip to the database to the
/// bound of a flush that is repeated.
const BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0,
];

type ByStatement = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

/// The histograms of an engine; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Timings {
    claim: Histogram,
    flush: ByStatement,
}

impl Default for Timings {
    fn default() -> Self {
        let new = || Histogram::new(BUCKETS);
        Self {
            claim: new(),
            flush: Family::new_with_constructor(new),
        }
    }
}

impl Timings {
    /// Measures a claim until the timer is dropped.
    pub(crate) fn claim(&self) -> Timer {
        Timer::start(self.claim.clone())
    }

    /// Measures a flush of a statement, with its repeats, until the timer is dropped.
    pub(crate) fn flush(&self, statement: &'static str) -> Timer {
        let flush = self.flush.get_or_create(&[("statement", statement)]);
        Timer::start(flush.clone())
    }
}

/// Measures the time until it is dropped.
#[must_use]
pub(crate) struct Timer {
    began: Instant,
    histogram: Histogram,
}

impl Timer {
    fn start(histogram: Histogram) -> Self {
        Self {
            began: Instant::now(),
            histogram,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.histogram.observe(self.began.elapsed().as_secs_f64());
    }
}

impl Engine {
    /// Registers the histograms of this engine, for one scrape.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let Timings { claim, flush } = &self.inner.timings;
        registry.register(
            "claim_seconds",
            "Time that claims of this host took, with those that found nothing",
            claim.clone(),
        );
        registry.register(
            "flush_seconds",
            "Time that flushes of this host took, by statement, with repeats",
            flush.clone(),
        );
    }
}
