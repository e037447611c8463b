//! The list of sweeps, each with how often it runs, and the tasks that run them.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::stats::{Stats, SweepFigures};
use crate::{Engine, Error};

/// Most rows one sweep takes.
pub(crate) const SWEEP_MAX: i64 = 500;

/// Pause after a run that failed.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// Longest the sweeps may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What a sweep does after a full batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Takes the next batch.
    Immediately,
    /// Pauses for as long as the batch took.
    Gently,
}

/// Names every sweep once, with how often it runs and what it does after a full batch.
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
        pub(super) const CONDITIONS: &[&str] = &[$(stringify!($name),)+];

        impl Engine {
            /// Starts every sweep.
            pub fn start_reconcilers(&self, sweeps: Sweeps) -> Reconcilers {
                let stop = watch::Sender::new(false);
                let mut tasks = vec![self.start_resolver(&stop)];
                tasks.extend([$({
                    let (engine, stop) = (self.clone(), stop.subscribe());
                    self.inner.tasks.spawn(stringify!($name), move || {
                        let (engine, stop) = (engine.clone(), stop.clone());
                        async move {
                            let stats = engine.inner.sweeps.stats.of(stringify!($name));
                            let run = || engine.$name();
                            repeat(stats, sweeps.$name, Again::$again, stop, run).await;
                        }
                    })
                },)+]);
                Reconcilers { stop, tasks }
            }

            /// Runs every sweep once and returns the number of rows they acted on; for
            /// tests and for operators who do not want to wait.
            pub async fn reconcile(&self) -> Result<u64, Error> {
                let mut moved = 0;
                $(
                    let stats = self.inner.sweeps.stats.of(stringify!($name));
                    moved += run_once(stats, self.$name()).await.0?;
                )+
                Ok(moved)
            }
        }
    };
}

sweeps! {
    /// Leases whose time to live has passed.
    expired_leases: Duration::from_secs(1), Immediately;
    /// Attempts that ran too long.
    attempt_timeouts: Duration::from_secs(1), Immediately;
    /// Executions past their deadline.
    deadlines: Duration::from_secs(1), Immediately;
    /// Delays and backoffs that are due.
    due_delays: Duration::from_millis(200), Immediately;
    /// Suspensions past their timeout.
    suspension_timeouts: Duration::from_millis(500), Immediately;
    /// Members of flows that ended and were not taken note of.
    due_flows: Duration::from_secs(1), Immediately;
    /// Members that are to be cancelled because of their flows.
    flow_cancellations: Duration::from_secs(1), Immediately;
    /// Waitpoints that no execution suspended on.
    unused_waitpoints: Duration::from_secs(5), Immediately;
    /// Executions blocked for want of a capable worker.
    blocked_routes: Duration::from_secs(1), Immediately;
    /// Idempotency keys past their window.
    idempotency_keys: Duration::from_secs(60), Immediately;
    /// Workers that sent no heartbeat in time.
    dead_workers: Duration::from_secs(5), Immediately;
    /// Executions that were kept long enough.
    finished_past_retention: Duration::from_secs(10), Gently;
    /// Flows that were kept long enough.
    flows_past_retention: Duration::from_secs(10), Gently;
    /// Streams of which something was kept long enough.
    streams_due: Duration::from_secs(5), Gently;
    /// Events that were kept long enough, or for which there is no more room.
    events_past_retention: Duration::from_secs(10), Gently;
    /// Classes of executions that nothing is of.
    unused_classes: Duration::from_secs(60), Gently;
    /// Audit entries that were kept long enough.
    audit_past_retention: Duration::from_secs(60), Gently;
    /// API keys that ended longer ago than the audit reaches.
    ended_api_keys: Duration::from_secs(60), Gently;
    /// Requests this host refused, whose sums are not written yet.
    noted_refusals: Duration::from_secs(5), Immediately;
}

/// The running sweeps.
#[derive(Debug)]
pub struct Reconcilers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Reconcilers {
    /// Stops every sweep after its present batch, or during one that takes too long: its
    /// statement is applied as a whole or not at all.
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
        self.inner.sweeps.stats.figures()
    }
}

impl Engine {
    /// Starts the task that resolves flows of which members ended on this host.
    fn start_resolver(&self, stop: &watch::Sender<bool>) -> JoinHandle<()> {
        let (engine, stop) = (self.clone(), stop.subscribe());
        self.inner.tasks.spawn("flow_resolver", move || {
            let (engine, mut stop) = (engine.clone(), stop.clone());
            async move {
                tokio::select! {
                    () = engine.resolve_flows() => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            }
        })
    }
}

/// Runs a sweep once and notes what it did.
async fn run_once(
    stats: &Stats,
    run: impl Future<Output = Result<u64, Error>>,
) -> (Result<u64, Error>, Duration) {
    let began = Instant::now();
    let _running = stats.begin();
    let swept = run.await;
    let took = began.elapsed();
    stats.end(swept.as_ref().ok().copied(), took);
    (swept, took)
}

async fn repeat<F, R>(
    stats: &Stats,
    every: Duration,
    again: Again,
    mut stop: watch::Receiver<bool>,
    run: F,
) where
    F: Fn() -> R + Send,
    R: Future<Output = Result<u64, Error>> + Send,
{
    let name = stats.condition();
    let mut failing = false;
    loop {
        let (swept, took) = run_once(stats, run()).await;
        let pause = match swept {
            Ok(moved) => {
                if std::mem::take(&mut failing) {
                    info!(sweep = name, "sweeping again");
                }
                match again {
                    _ if moved < SWEEP_MAX as u64 => every,
                    Again::Immediately => Duration::ZERO,
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
