//! Bounded sweeps that end conditions nobody else ends.
//!
//! A sweep takes no input, looks only at rows, and acts through the same
//! statements as the verbs, which compare fence and condition again; so any
//! number of hosts may run them at once. A sweep that found a full batch runs
//! again at once. What each did is kept in its ledger. One file per condition:
//!
//! | file | condition | becomes |
//! |---|---|---|
//! | `due_delays` | delayed, time has come | waiting |
//! | `expired_leases` | active, lease lapsed | waiting, or failed at the cap |
//! | `attempt_timeouts` | active, attempt too long | as a failure of class `timeout` |
//! | `deadlines` | not finished, deadline passed | expired |
//! | `suspension_timeouts` | suspended, time has passed | as its timeout behaviour says |
//! | `unused_waitpoints` | waitpoint without a suspension in time | expired |
//! | `blocked_routes` | blocked, and a capable worker lives | waiting |
//! | `idempotency_keys` | key past its window | forgotten |
//! | `dead_workers` | worker whose time has passed | dead, later forgotten |
//! | `finished_past_retention` | finished, kept long enough | gone |
//! | `events_past_retention` | event kept long enough | gone |
//!
//! Removing what is past its retention can wait, so after a full batch those two
//! pause for as long as the batch took.

mod attempt_timeouts;
mod blocked_routes;
mod dead_workers;
mod deadlines;
mod due_delays;
mod events_past_retention;
mod expired_leases;
mod finished_past_retention;
mod idempotency_keys;
mod ledger;
mod suspension_timeouts;
mod unused_waitpoints;

pub(crate) use blocked_routes::Looked;
pub(crate) use finished_past_retention::Walks;
pub(crate) use ledger::Ledgers;
pub use ledger::SweepFigures;

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::{Engine, Error};
use ledger::Ledger;

/// Most rows one sweep takes.
pub(crate) const SWEEP_MAX: i64 = 500;

/// Pause after a run that failed.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// Longest the sweeps may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What a sweep does after a full batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Takes the next one.
    AtOnce,
    /// Leaves the database alone for as long as it kept it busy.
    Gently,
}

/// Names every sweep once: how often it runs, what it does after a full batch.
macro_rules! sweeps {
    ($($(#[$doc:meta])* $name:ident: $every:expr, $again:ident;)+) => {
        /// How often each sweep runs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Sweeps {
            $($(#[$doc])* pub $name: Duration,)+
        }

        impl Default for Sweeps {
            fn default() -> Self {
                Self { $($name: $every,)+ }
            }
        }

        /// Names of the sweeps, which are the conditions they end.
        const CONDITIONS: &[&str] = &[$(stringify!($name),)+];

        impl Engine {
            /// Starts every sweep.
            pub fn start_reconcilers(&self, sweeps: Sweeps) -> Reconcilers {
                let stop = watch::Sender::new(false);
                let tasks = vec![$({
                    let (engine, stop) = (self.clone(), stop.subscribe());
                    self.inner.tasks.spawn(stringify!($name), move || {
                        let (engine, stop) = (engine.clone(), stop.clone());
                        async move {
                            let ledger = engine.inner.ledgers.of(stringify!($name));
                            let run = || engine.$name();
                            repeat(ledger, sweeps.$name, Again::$again, stop, run).await;
                        }
                    })
                },)+];
                Reconcilers { stop, tasks }
            }

            /// Runs every sweep once and returns how many rows they moved; for
            /// tests and for operators who do not want to wait.
            pub async fn reconcile(&self) -> Result<u64, Error> {
                let mut moved = 0;
                $(
                    let ledger = self.inner.ledgers.of(stringify!($name));
                    moved += entered(ledger, self.$name()).await.0?;
                )+
                Ok(moved)
            }
        }
    };
}

sweeps! {
    /// Lapsed leases.
    expired_leases: Duration::from_secs(1), AtOnce;
    /// Attempts that ran too long.
    attempt_timeouts: Duration::from_secs(1), AtOnce;
    /// Deadlines.
    deadlines: Duration::from_secs(1), AtOnce;
    /// Delays and backoffs.
    due_delays: Duration::from_millis(200), AtOnce;
    /// Suspensions whose time has passed.
    suspension_timeouts: Duration::from_millis(500), AtOnce;
    /// Waitpoints nobody suspended on.
    unused_waitpoints: Duration::from_secs(5), AtOnce;
    /// Blocked for want of a worker that can run it.
    blocked_routes: Duration::from_secs(1), AtOnce;
    /// Forgotten keys.
    idempotency_keys: Duration::from_secs(60), AtOnce;
    /// Workers that fell silent.
    dead_workers: Duration::from_secs(5), AtOnce;
    /// Executions that were kept long enough.
    finished_past_retention: Duration::from_secs(10), Gently;
    /// Events that were kept long enough.
    events_past_retention: Duration::from_secs(10), Gently;
}

/// The running sweeps.
#[derive(Debug)]
pub struct Reconcilers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Reconcilers {
    /// Stops every sweep after the batch it is at, or in the midst of one that takes
    /// too long: its statement is written whole or not at all.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let until = tokio::time::Instant::now() + STOP_WITHIN;
        for mut task in self.tasks {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Engine {
    /// Returns what each sweep of this host did since the start.
    pub fn sweep_figures(&self) -> Vec<SweepFigures> {
        self.inner.ledgers.figures()
    }
}

/// Runs a sweep once and enters what it did.
async fn entered(
    ledger: &Ledger,
    run: impl Future<Output = Result<u64, Error>>,
) -> (Result<u64, Error>, Duration) {
    let began = Instant::now();
    let _running = ledger.run();
    let swept = run.await;
    let took = began.elapsed();
    ledger.enter(swept.as_ref().ok().copied(), took);
    (swept, took)
}

async fn repeat<F, R>(
    ledger: &Ledger,
    every: Duration,
    again: Again,
    mut stop: watch::Receiver<bool>,
    run: F,
) where
    F: Fn() -> R + Send,
    R: Future<Output = Result<u64, Error>> + Send,
{
    let name = ledger.condition();
    let mut failing = false;
    loop {
        let (swept, took) = entered(ledger, run()).await;
        let pause = match swept {
            Ok(moved) => {
                if std::mem::take(&mut failing) {
                    info!(sweep = name, "sweeping again");
                }
                match again {
                    _ if moved < SWEEP_MAX as u64 => every,
                    Again::AtOnce => Duration::ZERO,
                    Again::Gently => took.min(every),
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(sweep = name, %error, "sweep failed, trying again");
                }
                FAULT_PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
