//! What every handler may use.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use engine::{Engine, WaitpointToken};
use model::Limits;
use runtime::{Runtime, WorkerHandle};
use tokio::sync::{Semaphore, watch};

use super::body::{Cap, SMALL_BYTES_MAX};
use super::leases::claim::{Emptied, TURNS};
use super::ops::metrics::Counters;
use super::problem::Problem;
use super::transport::browsers::Gate;
use crate::config::Http;

/// What every handler may use; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// Durable state.
    pub engine: Engine,
    /// Components.
    pub runtime: Runtime,
    /// Settings of the API.
    pub http: Http,
    /// What callback URLs begin with; see [`Http::callback_prefix`].
    pub callbacks: String,
    /// Who may send requests from a browser.
    pub gate: Gate,
    /// What the API counted.
    pub counters: Counters,
    /// Name of this host in leases.
    pub instance: String,
    /// Turns of claims for workers outside; see [`super::leases::claim`].
    pub claim_turns: Semaphore,
    /// What those claims found to be gone.
    pub emptied: Emptied,
    worker: Mutex<Option<WorkerHandle>>,
    ready: AtomicBool,
    /// Since when the host drains, if it does.
    draining: OnceLock<Instant>,
    drained: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Assembles one that is not ready yet.
    pub fn new(
        engine: Engine,
        runtime: Runtime,
        http: Http,
        callbacks: String,
        instance: String,
    ) -> Self {
        Self(Arc::new(Parts {
            engine,
            runtime,
            gate: Gate::new(&http),
            http,
            callbacks,
            counters: Counters::default(),
            instance,
            claim_turns: Semaphore::new(TURNS),
            emptied: Emptied::default(),
            worker: Mutex::new(None),
            ready: AtomicBool::new(false),
            draining: OnceLock::new(),
            drained: watch::Sender::new(false),
            closing: watch::Sender::new(false),
        }))
    }

    /// Hands over the worker of this host.
    pub fn set_worker(&self, worker: WorkerHandle) {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
    }

    /// Takes the worker back, to end it.
    pub fn take_worker(&self) -> Option<WorkerHandle> {
        self.worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Has the worker of this host read the routes of kinds again now.
    pub fn refresh(&self) {
        if let Some(worker) = &*self.worker.lock().unwrap_or_else(PoisonError::into_inner) {
            worker.refresh();
        }
    }

    /// Returns the kinds the worker of this host claims now.
    pub fn kinds(&self) -> Vec<String> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        worker.as_ref().map(WorkerHandle::kinds).unwrap_or_default()
    }

    /// Says whether the host takes work.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Returns whether the host takes work.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Turns readiness off and makes requests that wait for work answer now; others
    /// are served until the host closes.
    pub fn drain(&self) {
        self.set_ready(false);
        self.draining.get_or_init(Instant::now);
        self.drained.send_replace(true);
    }

    /// Returns for how long the host has been draining, if it does.
    pub fn draining(&self) -> Option<Duration> {
        self.draining.get().map(Instant::elapsed)
    }

    /// Returns when the host drains.
    pub async fn drains(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.drained.subscribe().wait_for(|drained| *drained).await;
    }

    /// Makes every request that waits answer now.
    pub fn close(&self) {
        self.drain();
        self.closing.send_replace(true);
    }

    /// Refuses a request that would only wait for the end of the host.
    ///
    /// # Errors
    /// The host closes.
    pub fn refuse_closing(&self) -> Result<(), Problem> {
        if *self.closing.borrow() {
            return Err(Problem::draining());
        }
        Ok(())
    }

    /// Refuses a request for work.
    ///
    /// # Errors
    /// The host drains.
    pub fn refuse_draining(&self) -> Result<(), Problem> {
        match self.draining() {
            Some(_) => Err(Problem::draining()),
            None => Ok(()),
        }
    }

    /// Returns when the host closes.
    pub async fn closed(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Returns the sizes this instance accepts.
    pub fn limits(&self) -> Limits {
        self.engine.limits()
    }

    /// Returns where whoever has nothing but this URL may send signals.
    pub fn callback_url(&self, token: &WaitpointToken) -> String {
        format!("{}{}", self.callbacks, token.reveal())
    }

    /// Returns the cap of routes that take a signal in JSON, in which base64 makes
    /// it longer by a third.
    pub fn signal_body(&self) -> Cap {
        Cap {
            limit: "the limit of a signal",
            bytes_max: Limits::SIGNAL_BYTES_MAX as usize / 3 * 4 + SMALL_BYTES_MAX,
            timeout: self.http.request_timeout(),
        }
    }

    /// Returns the cap of routes that take a result, which base64 makes longer by
    /// a third.
    pub fn result_body(&self) -> Cap {
        Cap {
            limit: "result_bytes_max",
            bytes_max: self.limits().result_bytes_max as usize / 3 * 4 + SMALL_BYTES_MAX,
            timeout: self.http.request_timeout(),
        }
    }

    /// Returns the cap of routes that take many things at once.
    pub fn batch_body(&self) -> Cap {
        Cap {
            limit: "http.batch_bytes_max",
            bytes_max: self.http.batch_bytes_max as usize,
            timeout: self.http.request_timeout(),
        }
    }

    /// Returns the cap of routes that take small bodies.
    pub fn small_body(&self) -> Cap {
        Cap {
            limit: "the limit of this route",
            bytes_max: SMALL_BYTES_MAX,
            timeout: self.http.request_timeout(),
        }
    }
}
