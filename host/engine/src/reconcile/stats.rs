//! What each sweep did since this host started.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::sweeps::{CONDITIONS, SWEEP_MAX};

/// What one sweep of this host did since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepFigures {
    /// The condition it ends, which is its name.
    pub condition: &'static str,
    /// Number of runs, failures included.
    pub runs: u64,
    /// Number of rows it acted on.
    pub rows: u64,
    /// Number of runs that failed.
    pub errors: u64,
    /// Number of runs that failed since the last success.
    pub errors_in_a_row: u64,
    /// Time since the first of these failures; absent while it succeeds.
    pub failing: Option<Duration>,
    /// Time since the present run began; absent between runs.
    pub running: Option<Duration>,
    /// Duration of the last run.
    pub last: Duration,
    /// Time since the last success; absent before the first.
    pub since_success: Option<Duration>,
    /// Whether the last success found a full batch, so that more rows may be waiting.
    pub behind: bool,
}

/// What every sweep did.
pub(super) struct SweepStats(Vec<Stats>);

/// What one sweep did.
pub(super) struct Stats {
    condition: &'static str,
    counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
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

/// A run, which ends when this is dropped, also by a panic.
pub(super) struct Running<'a>(&'a Stats);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.counts.lock().running = None;
    }
}

impl Default for SweepStats {
    fn default() -> Self {
        let stats = |condition: &&'static str| Stats {
            condition,
            counts: Mutex::default(),
        };
        Self(CONDITIONS.iter().map(stats).collect())
    }
}

impl SweepStats {
    /// Returns the stats of the sweep with this name.
    pub(super) fn of(&self, condition: &str) -> &Stats {
        let found = self.0.iter().find(|it| it.condition == condition);
        found.expect("invariant: every sweep has its stats")
    }

    pub(super) fn figures(&self) -> Vec<SweepFigures> {
        self.0.iter().map(Stats::figures).collect()
    }
}

impl Stats {
    pub(super) fn condition(&self) -> &'static str {
        self.condition
    }

    /// Notes that a run began.
    pub(super) fn begin(&self) -> Running<'_> {
        self.counts.lock().running = Some(Instant::now());
        Running(self)
    }

    /// Notes the end of a run: the rows it acted on, or none if it failed.
    pub(super) fn end(&self, rows: Option<u64>, took: Duration) {
        let mut counts = self.counts.lock();
        counts.runs += 1;
        counts.last = took;
        match rows {
            Some(rows) => {
                counts.rows += rows;
                counts.behind = rows >= SWEEP_MAX as u64;
                counts.success = Some(Instant::now());
                counts.errors_in_a_row = 0;
                counts.failing = None;
            }
            None => {
                counts.errors += 1;
                counts.errors_in_a_row += 1;
                counts.failing = counts.failing.or_else(|| Some(Instant::now()));
            }
        }
    }

    fn figures(&self) -> SweepFigures {
        let counts = *self.counts.lock();
        SweepFigures {
            condition: self.condition,
            runs: counts.runs,
            rows: counts.rows,
            errors: counts.errors,
            errors_in_a_row: counts.errors_in_a_row,
            failing: counts.failing.map(|at| at.elapsed()),
            running: counts.running.map(|at| at.elapsed()),
            last: counts.last,
            since_success: counts.success.map(|at| at.elapsed()),
            behind: counts.behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_full_batches_are_told_from_other_runs() {
        let all = SweepStats::default();
        let stats = all.of("expired_leases");
        let took = Duration::from_millis(3);
        stats.end(None, took);
        let figures = stats.figures();
        assert_eq!(
            (figures.runs, figures.errors, figures.since_success),
            (1, 1, None)
        );
        stats.end(Some(SWEEP_MAX as u64), took);
        assert!(stats.figures().behind);
        stats.end(None, took);
        assert!(
            stats.figures().behind,
            "a failure says nothing about what waits"
        );
        stats.end(Some(2), took);
        let figures = stats.figures();
        assert_eq!((figures.runs, figures.errors, figures.rows), (4, 2, 502));
        assert!(!figures.behind && figures.since_success.is_some());
        assert_eq!(all.figures().len(), CONDITIONS.len());
    }
}
