//! Bounded sweeps that end conditions nobody else ends.
//!
//! A sweep takes no input, looks only at rows, and acts through the same
//! statements as the verbs, which compare fence and condition again; so any
//! number of hosts may run them at once. A sweep that found a full batch runs
//! again at once. One file per condition:
//!
//! | file | condition | becomes |
//! |---|---|---|
//! | `due_delays` | delayed, time has come | waiting |
//! | `expired_leases` | active, lease lapsed | waiting, or failed at the cap |
//! | `attempt_timeouts` | active, attempt too long | as a failure of class `timeout` |
//! | `deadlines` | not finished, deadline passed | expired |
//! | `idempotency_keys` | key past its window | forgotten |
//! | `dead_workers` | worker whose time has passed | dead, later forgotten |

mod attempt_timeouts;
mod dead_workers;
mod deadlines;
mod due_delays;
mod expired_leases;
mod idempotency_keys;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::{Engine, Error};

/// Most rows one sweep takes.
pub(crate) const SWEEP_MAX: i64 = 500;

/// How often each sweep runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweeps {
    /// Delays and backoffs.
    pub due_delays: Duration,
    /// Lapsed leases.
    pub expired_leases: Duration,
    /// Attempts that ran too long.
    pub attempt_timeouts: Duration,
    /// Deadlines.
    pub deadlines: Duration,
    /// Forgotten keys.
    pub idempotency_keys: Duration,
    /// Workers that fell silent.
    pub dead_workers: Duration,
}

impl Default for Sweeps {
    fn default() -> Self {
        Self {
            due_delays: Duration::from_millis(200),
            expired_leases: Duration::from_secs(1),
            attempt_timeouts: Duration::from_secs(1),
            deadlines: Duration::from_secs(1),
            idempotency_keys: Duration::from_secs(60),
            dead_workers: Duration::from_secs(5),
        }
    }
}

/// The running sweeps.
#[derive(Debug)]
pub struct Reconcilers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Reconcilers {
    /// Stops every sweep after the batch it is at.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

impl Engine {
    /// Starts every sweep.
    pub fn start_reconcilers(&self, sweeps: Sweeps) -> Reconcilers {
        let stop = watch::Sender::new(false);
        macro_rules! sweep {
            ($($name:ident),+) => {
                vec![$({
                    let (engine, stop) = (self.clone(), stop.subscribe());
                    tokio::spawn(async move {
                        let run = || engine.$name();
                        repeat(stringify!($name), sweeps.$name, stop, run).await;
                    })
                },)+]
            };
        }
        let tasks = sweep![
            due_delays,
            expired_leases,
            attempt_timeouts,
            deadlines,
            idempotency_keys,
            dead_workers
        ];
        Reconcilers { stop, tasks }
    }

    /// Runs every sweep once and returns how many rows they moved; for tests
    /// and for operators who do not want to wait.
    pub async fn reconcile(&self) -> Result<u64, Error> {
        let mut moved = self.expired_leases().await?;
        moved += self.attempt_timeouts().await?;
        moved += self.deadlines().await?;
        moved += self.due_delays().await?;
        moved += self.idempotency_keys().await?;
        moved += self.dead_workers().await?;
        Ok(moved)
    }
}

async fn repeat<F, R>(name: &'static str, every: Duration, mut stop: watch::Receiver<bool>, run: F)
where
    F: Fn() -> R + Send,
    R: Future<Output = Result<u64, Error>> + Send,
{
    let mut failing = false;
    loop {
        let pause = match run().await {
            Ok(moved) => {
                if std::mem::take(&mut failing) {
                    info!(sweep = name, "sweeping again");
                }
                if moved >= SWEEP_MAX as u64 {
                    Duration::ZERO
                } else {
                    every
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(sweep = name, %error, "sweep failed, trying again");
                }
                every.max(Duration::from_secs(1))
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
