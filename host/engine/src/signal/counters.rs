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
    /// Counts one answer.
    pub(super) fn count(&self, answer: &Result<Delivered, SignalRefusal>) {
        let outcome = match answer {
            Ok(delivered) if delivered.duplicate => "duplicate",
            Ok(delivered) => delivered.effect.as_str(),
            Err(refusal) => refusal.code(),
        };
        *self.0.lock().entry(outcome).or_default() += 1;
    }
}

impl Engine {
    /// Returns how many signals sent through this host had which outcome: an effect,
    /// `duplicate`, or the code of a refusal.
    pub fn signal_counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.inner.signals.0.lock();
        counts.iter().map(|(name, count)| (*name, *count)).collect()
    }
}
