//! The state that all handlers share.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engine::{Engine, WaitpointToken};
use model::Invalid;
use parking_lot::Mutex;
use runtime::{Runtime, WorkerHandle};
use tokio::sync::{Semaphore, watch};

use super::access::Sessions;
use super::doors::Doors;
use super::leases::claim::{CLAIMS_MAX, DrainedFilters};
use super::ops::counters::Counters;
use super::problem::Problem;
use super::transport::browsers::Gate;
use super::transport::dry_run::REHEARSALS_MAX;
use super::transport::tls::Tls;
use crate::config::{Access, Config, Http};
use crate::webhook;

/// The state that all handlers share; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The engine, which holds all durable state; that of a request alone if it only asks
    /// what would happen.
    pub engine: Engine,
    parts: Arc<Parts>,
}

/// The parts of an [`App`].
pub struct Parts {
    /// The runtime, which compiles and runs components.
    pub runtime: Runtime,
    /// The section `[http]` of the configuration.
    pub http: Http,
    /// What requests pass before any handler sees them.
    pub doors: Arc<Doors>,
    /// TLS of the API; absent if it speaks plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Sends what leaves the instance.
    pub egress: Arc<egress::Client>,
    /// The section `[access]` of the configuration.
    pub access: Access,
    /// What this host remembers of API keys.
    pub sessions: Arc<Sessions>,
    /// The beginning of callback URLs; see [`Config::callback_prefix`].
    pub callbacks: String,
    /// Which requests of browsers are let in.
    pub gate: Gate,
    /// What the API counted since the start.
    pub counters: Counters,
    /// What this host did with webhooks since the start.
    pub deliveries: Arc<webhook::Figures>,
    /// The `worker_instance_id` of this host.
    pub instance: String,
    /// A permit for each claim that runs for workers outside.
    pub claim_permits: Semaphore,
    /// A permit for each request that only asks what would happen.
    pub rehearsal_permits: Semaphore,
    /// Filters for which those claims found no more work.
    pub drained_filters: DrainedFilters,
    worker: Mutex<Option<WorkerHandle>>,
    ready: AtomicBool,
    /// When the host began to drain, if it did.
    draining: OnceLock<Instant>,
    drained: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

/// What was made out of the settings of the doors before anything else was started.
#[derive(Clone)]
pub struct Opened {
    doors: Arc<Doors>,
    egress: Arc<egress::Client>,
    tls: Option<Arc<Tls>>,
}

impl Opened {
    /// Reads what the settings of the doors name.
    ///
    /// # Errors
    /// The setting that is wrong.
    pub fn new(config: &Config) -> Result<Self, Invalid> {
        Ok(Self {
            doors: Arc::new(Doors::new(config)?),
            egress: Arc::new(config.egress.client()?),
            tls: Tls::open(&config.tls)?.map(Arc::new),
        })
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl App {
    /// Assembles one that is not ready yet.
    pub fn new(
        engine: Engine,
        runtime: Runtime,
        config: &Config,
        opened: Opened,
        address: SocketAddr,
        instance: String,
    ) -> Self {
        let parts = Arc::new(Parts {
            runtime,
            gate: Gate::new(&config.http),
            http: config.http.clone(),
            doors: opened.doors,
            tls: opened.tls,
            egress: opened.egress,
            access: config.access.clone(),
            sessions: Arc::default(),
            deliveries: Arc::default(),
            callbacks: config.callback_prefix(address),
            counters: Counters::default(),
            instance,
            claim_permits: Semaphore::new(CLAIMS_MAX),
            rehearsal_permits: Semaphore::new(REHEARSALS_MAX),
            drained_filters: DrainedFilters::default(),
            worker: Mutex::new(None),
            ready: AtomicBool::new(false),
            draining: OnceLock::new(),
            drained: watch::Sender::new(false),
            closing: watch::Sender::new(false),
        });
        Self { engine, parts }
    }

    /// Returns the same state with another engine.
    pub fn with_engine(&self, engine: Engine) -> Self {
        Self {
            engine,
            parts: self.parts.clone(),
        }
    }

    /// Stores the worker of this host.
    pub fn set_worker(&self, worker: WorkerHandle) {
        *self.worker.lock() = Some(worker);
    }

    /// Takes the worker out, for the caller to stop it.
    pub fn take_worker(&self) -> Option<WorkerHandle> {
        self.worker.lock().take()
    }

    /// Has the worker of this host read the routes of kinds again now.
    pub fn refresh(&self) {
        if let Some(worker) = &*self.worker.lock() {
            worker.refresh();
        }
    }

    /// Returns the kinds the worker of this host claims now.
    pub fn kinds(&self) -> Vec<String> {
        let worker = self.worker.lock();
        worker.as_ref().map(WorkerHandle::kinds).unwrap_or_default()
    }

    /// Sets whether the host takes work.
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
        // `self` holds the sender, so waiting cannot fail.
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
        // `self` holds the sender, so waiting cannot fail.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Returns the URL to which its holder sends signals with this token.
    pub fn callback_url(&self, token: &WaitpointToken) -> String {
        format!("{}{}", self.callbacks, token.reveal())
    }
}
