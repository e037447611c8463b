//! The presence of this host in the registry of workers: it registers at start, sends a
//! heartbeat every third of its liveness TTL, and retires when it ends well.
//!
//! The registry informs people; nothing of the host depends on it, so a database that
//! does not answer is only logged.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::RegisterWorker;
use model::WorkerType;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use crate::config::Worker;
use crate::http::App;

/// Name of every host as a worker, the same over its restarts.
const WORKER_ID: &str = "flowhost";
/// Time after each heartbeat during which the host counts as live, in milliseconds.
const LIVENESS_TTL_MS: u32 = 30_000;
/// Pause between two checks whether the kinds that the host can run have changed.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Number of checks after which it sends a heartbeat although they have not.
const CHECKS_PER_BEAT: u32 = LIVENESS_TTL_MS / 3000;
/// Longest to wait for the registry at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps a host registered until it ends.
#[derive(Debug)]
pub struct Presence {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Presence {
    /// Registers the host and keeps it registered.
    pub fn start(app: App, settings: &Worker) -> Self {
        let worker = RegisterWorker {
            worker_instance_id: app.instance.clone(),
            worker_id: WORKER_ID.to_owned(),
            worker_type: WorkerType::Host,
            namespace: None,
            keeps_namespace: false,
            lanes: settings.lanes.iter().cloned().collect(),
            kinds: kinds(&app),
            capabilities: settings.capabilities.clone(),
            host: Worker::hostname(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            liveness_ttl_ms: LIVENESS_TTL_MS,
        };
        let (stop, stopped) = watch::channel(false);
        let tasks = app.engine.tasks().clone();
        let task = tasks.spawn("presence", move || {
            keep(app.clone(), worker.clone(), stopped.clone())
        });
        Self { stop, task }
    }

    /// Retires from the registry; if that takes too long, the heartbeats end.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        let left = tokio::time::timeout(LEAVE_TIMEOUT * 2, &mut self.task);
        if left.await.is_err() {
            self.task.abort();
        }
    }
}

/// Returns the kinds the host can run now, as many as the registry accepts.
fn kinds(app: &App) -> BTreeSet<String> {
    let runs = app.kinds().into_iter();
    runs.take(model::Limits::WORKER_NAMES_MAX).collect()
}

async fn keep(app: App, mut worker: RegisterWorker, mut stopped: watch::Receiver<bool>) {
    let mut silent = 0;
    let mut failing = false;
    loop {
        let runs = kinds(&app);
        if silent == 0 || runs != worker.kinds {
            worker.kinds = runs;
            silent = 0;
            let answer = tokio::select! {
                answer = app.engine.register_worker(worker.clone()) => answer,
                // A database that does not answer must not delay the end.
                _ = stopped.wait_for(|stop| *stop) => break,
            };
            match answer {
                Ok(_) => failing = false,
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    warn!(%error, "this host is not in the registry of workers");
                }
                Err(_) => {}
            }
        }
        silent = (silent + 1) % CHECKS_PER_BEAT;
        tokio::select! {
            () = tokio::time::sleep(CHECK_EVERY) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    let left = app.engine.retire_worker(&worker.worker_instance_id, None);
    if tokio::time::timeout(LEAVE_TIMEOUT, left).await.is_err() {
        debug!("the registry of workers did not answer; the host will count as dead there");
    }
}
