//! What each sweep did since this host started.

use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// Times it failed since it last succeeded.
    pub errors_in_a_row: u64,
    /// For how long it has been failing.
    pub failing: Option<Duration>,
    /// For how long it has been running, if it is.
    pub running: Option<Duration>,
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
    errors_in_a_row: u64,
    failing: Option<Instant>,
    running: Option<Instant>,
    last: Duration,
    success: Option<Instant>,
    behind: bool,
}

/// A sweep that runs, also one that is dropped or panics while it does.
pub(super) struct Running<'a>(&'a Ledger);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.entries().running = None;
    }
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

    /// Says that it runs, until what is returned is dropped.
    pub(super) fn run(&self) -> Running<'_> {
        self.entries().running = Some(Instant::now());
        Running(self)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a run: the rows it acted on, or none if it failed.
    pub(super) fn enter(&self, rows: Option<u64>, took: Duration) {
        let mut entries = self.entries();
        entries.runs += 1;
        entries.last = took;
        match rows {
            Some(rows) => {
                entries.rows += rows;
                entries.behind = rows >= SWEEP_MAX as u64;
                entries.success = Some(Instant::now());
                entries.errors_in_a_row = 0;
                entries.failing = None;
            }
            None => {
                entries.errors += 1;
                entries.errors_in_a_row += 1;
                entries.failing = entries.failing.or_else(|| Some(Instant::now()));
            }
        }
    }

    fn figures(&self) -> SweepFigures {
        let entries = *self.entries();
        SweepFigures {
            condition: self.condition,
            runs: entries.runs,
            rows: entries.rows,
            errors: entries.errors,
            errors_in_a_row: entries.errors_in_a_row,
            failing: entries.failing.map(|at| at.elapsed()),
            running: entries.running.map(|at| at.elapsed()),
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
