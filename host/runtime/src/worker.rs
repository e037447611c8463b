//! A worker: claims executions for free slots, runs each in a sandbox and
//! records how it ended.
//!
//! ```text
//!  claiming ── lease ──▶ attempt (guest runtime) ──▶ recording
//!     ▲                      ▲        │
//!   slots, routes          keeper ────┘ renews, or says that the lease is lost
//! ```
//!
//! The slot is taken before the lease, and given back after the outcome was
//! recorded. The database is authoritative about leases; what the worker keeps
//! in memory only decides when it stops trying.

mod attempting;
mod claiming;
mod recording;
mod routing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use engine::Engine;
use model::LeaseId;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use crate::attempt::Attempt;
use crate::limits::SandboxLimits;
use crate::metrics::Counters;
use crate::registry::Registry;
use crate::routes::Routes;
use crate::settings::WorkerSettings;

/// What the parts of a worker share.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) settings: WorkerSettings,
    pub(crate) counters: Arc<Counters>,
    registry: Arc<Registry>,
    limits: SandboxLimits,
    result_bytes_max: u32,
    /// The runtime the engine lives on.
    main: Handle,
    /// The runtime guests run on.
    guests: Handle,
    slots: Arc<Semaphore>,
    attempts: Mutex<HashMap<LeaseId, Arc<Attempt>>>,
    routes: RwLock<Arc<Routes>>,
    draining: AtomicBool,
    given_up: AtomicBool,
    over: AtomicBool,
    /// Stirs whoever claims: routes changed, or the end is near.
    stirred: Notify,
    /// Stirs whoever reads the routes.
    reroute: Notify,
    /// Stirs whoever waits for the last attempt.
    ended: Notify,
}

/// A running worker. Dropping it stops claiming; attempts that run end by
/// themselves.
pub struct WorkerHandle {
    worker: Arc<Worker>,
}

impl Worker {
    /// Starts a worker on the present runtime, its guests on `guests`.
    pub(crate) fn start(
        engine: Engine,
        registry: Arc<Registry>,
        settings: WorkerSettings,
        limits: SandboxLimits,
        counters: Arc<Counters>,
        guests: Handle,
    ) -> WorkerHandle {
        let worker = Arc::new(Self {
            result_bytes_max: engine.limits().result_bytes_max,
            slots: Arc::new(Semaphore::new(settings.slots.max(1) as usize)),
            engine,
            settings,
            counters,
            registry,
            limits,
            main: Handle::current(),
            guests,
            attempts: Mutex::default(),
            routes: RwLock::default(),
            draining: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            over: AtomicBool::new(false),
            stirred: Notify::new(),
            reroute: Notify::new(),
            ended: Notify::new(),
        });
        tokio::spawn(routing::follow(worker.clone()));
        tokio::spawn(claiming::claim(worker.clone()));
        tokio::spawn(crate::keeper::keep(worker.clone()));
        WorkerHandle { worker }
    }

    /// Returns the attempts that hold a lease and fit.
    pub(crate) fn held(&self, fits: impl Fn(&Attempt) -> bool) -> Vec<Arc<Attempt>> {
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .filter(|attempt| !attempt.is_recorded() && fits(attempt))
            .cloned()
            .collect()
    }

    /// Whether the worker has ended for good.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn routes(&self) -> Arc<Routes> {
        self.routes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn running(&self) -> usize {
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn stop_claiming(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.stirred.notify_one();
        self.reroute.notify_one();
    }

    /// Ends the worker if it drains and holds nothing: neither an attempt nor a
    /// slot for an execution that is just being created for it.
    fn end_if_done(&self) {
        let slots = self.settings.slots.max(1) as usize;
        if self.is_draining() && self.slots.available_permits() == slots && self.running() == 0 {
            self.over.store(true, Ordering::Relaxed);
            self.ended.notify_waiters();
        }
    }

    async fn wait_until_over(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            self.end_if_done();
            if self.is_over() {
                return;
            }
            // A slot may also come back from a creation that failed.
            let _ = tokio::time::timeout(Duration::from_millis(20), ended).await;
        }
    }
}

impl WorkerHandle {
    /// Returns how many attempts hold a slot now.
    pub fn running(&self) -> usize {
        self.worker.running()
    }

    /// Returns the kinds the worker claims now: those whose components are
    /// loaded.
    pub fn kinds(&self) -> Vec<String> {
        self.worker.routes().claimable().to_vec()
    }

    /// Has the routes read again now rather than within a second.
    pub fn refresh(&self) {
        self.worker.reroute.notify_one();
    }

    /// Stops claiming and waits for the attempts that run. Those still running
    /// after `grace` are stopped and their leases given back, so that another
    /// worker takes over at once. Returns how many that were.
    pub async fn drain(self, grace: Duration) -> usize {
        let worker = &self.worker;
        worker.stop_claiming();
        if tokio::time::timeout(grace, worker.wait_until_over())
            .await
            .is_ok()
        {
            return 0;
        }
        worker.given_up.store(true, Ordering::Relaxed);
        let late = worker.held(|_| true);
        for attempt in &late {
            attempt.lose();
        }
        // A stopped guest ends within a tick; what may take longer is a
        // database that does not answer, and then the leases lapse.
        let _ = tokio::time::timeout(Duration::from_secs(5), worker.wait_until_over()).await;
        worker.over.store(true, Ordering::Relaxed);
        late.len()
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.worker.stop_claiming();
        self.worker.end_if_done();
    }
}
