//! Counts what became of signals on this host.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use model::SignalRefusal;

use super::Delivered;
use crate::Engine;

/// What became of signals, and how often.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    /// Counts one answer.
    pub(super) fn count(&self, answer: &Result<Delivered, SignalRefusal>) {
        let name = match answer {
            Ok(delivered) if delivered.duplicate => "duplicate",
            Ok(delivered) => delivered.effect.as_str(),
            Err(refusal) => refusal.code(),
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(name).or_default() += 1;
    }
}

impl Engine {
    /// Returns what became of the signals this host was given: by effect,
    /// `duplicate`, or the code of the refusal.
    pub fn signal_figures(&self) -> Vec<(&'static str, u64)> {
        let counts = &self.inner.signals.0;
        let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| (*name, *count)).collect()
    }
}
