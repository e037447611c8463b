//! What each sweep did since this host started.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{CONDITIONS, SWEEP_MAX};

/// What a sweep of this host did since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepFigures {
    /// The condition it ends.
    pub condition: &'static str,
    /// Times it ran, failures included.
    pub runs: u64,
    /// Rows it acted on.
    pub rows: u64,
    /// Times it failed.
    pub errors: u64,
    /// How long it took last.
    pub last: Duration,
    /// How long ago it ran without a fault; absent if it never did.
    pub since_success: Option<Duration>,
    /// Whether it found as much as it takes at once the last time, so that more
    /// may be waiting.
    pub behind: bool,
}

/// The ledger of every sweep.
pub(crate) struct Ledgers(Vec<Ledger>);

/// The ledger of one sweep.
pub(super) struct Ledger {
    condition: &'static str,
    entries: Mutex<Entries>,
}

#[derive(Clone, Copy, Default)]
struct Entries {
    runs: u64,
    rows: u64,
    errors: u64,
    last: Duration,
    success: Option<Instant>,
    behind: bool,
}

impl Default for Ledgers {
    fn default() -> Self {
        let ledger = |condition: &&'static str| Ledger {
            condition,
            entries: Mutex::default(),
        };
        Self(CONDITIONS.iter().map(ledger).collect())
    }
}

impl Ledgers {
    /// Returns the ledger of a sweep there is.
    pub(super) fn of(&self, condition: &str) -> &Ledger {
        let found = self.0.iter().find(|it| it.condition == condition);
        found.expect("every sweep has a ledger")
    }

    pub(super) fn figures(&self) -> Vec<SweepFigures> {
        self.0.iter().map(Ledger::figures).collect()
    }
}

impl Ledger {
    pub(super) fn condition(&self) -> &'static str {
        self.condition
    }

    /// Enters a run: the rows it acted on, or none if it failed.
    pub(super) fn enter(&self, rows: Option<u64>, took: Duration) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.runs += 1;
        entries.last = took;
        match rows {
            Some(rows) => {
                entries.rows += rows;
                entries.behind = rows >= SWEEP_MAX as u64;
                entries.success = Some(Instant::now());
            }
            None => entries.errors += 1,
        }
    }

    fn figures(&self) -> SweepFigures {
        let entries = *self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        SweepFigures {
            condition: self.condition,
            runs: entries.runs,
            rows: entries.rows,
            errors: entries.errors,
            last: entries.last,
            since_success: entries.success.map(|at| at.elapsed()),
            behind: entries.behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_tells_failures_from_successes_and_full_batches_from_others() {
        let ledgers = Ledgers::default();
        let ledger = ledgers.of("expired_leases");
        let took = Duration::from_millis(3);
        ledger.enter(None, took);
        let figures = ledger.figures();
        assert_eq!(
            (figures.runs, figures.errors, figures.since_success),
            (1, 1, None)
        );
        ledger.enter(Some(SWEEP_MAX as u64), took);
        assert!(ledger.figures().behind);
        ledger.enter(None, took);
        assert!(
            ledger.figures().behind,
            "a failure says nothing about what waits"
        );
        ledger.enter(Some(2), took);
        let figures = ledger.figures();
        assert_eq!((figures.runs, figures.errors, figures.rows), (4, 2, 502));
        assert!(!figures.behind && figures.since_success.is_some());
        assert_eq!(ledgers.figures().len(), CONDITIONS.len());
    }
}
