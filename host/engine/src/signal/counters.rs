//! Counts the outcomes of signals on this host.

use std::collections::BTreeMap;

use model::SignalRefusal;
use parking_lot::Mutex;

use super::deliver::Delivered;
use crate::Engine;

/// How many signals had which outcome since this host started.
#[derive(Debug, Default)]
pub(crate) struct SignalCounters(Mutex<BTreeMap<&'static str, u64>>);

impl SignalCounters {
    pub(super) fn count_delivered(&self, delivered: &Delivered) {
        self.count(match delivered.duplicate {
            true => "duplicate",
            false => delivered.effect.as_str(),
        });
    }

    pub(super) fn count_refused(&self, refusal: &SignalRefusal) {
        self.count(refusal.code());
    }

    fn count(&self, outcome: &'static str) {
        *self.0.lock().entry(outcome).or_default() += 1;
    }
}

impl Engine {
    /// Returns how many signals sent through this host had which outcome: an effect,
    /// `duplicate`, or the code of a refusal.
    pub fn signal_counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.inner.signal_counters.0.lock();
        counts.iter().map(|(name, count)| (*name, *count)).collect()
    }
}
