//! A worker: claims executions for free slots, runs each in a sandbox and
//! records how it ended; and keeps services running, which claim for themselves.
//!
//! ```text
//!  claiming ── lease ──▶ attempt (guest runtime) ──▶ recording
//!     ▲                      ▲        │                  ▲
//!   slots, routes          keeper ────┘ renews, or says  │ that the lease is lost
//!     ▼                      ▼                           │
//!  serving ──▶ service (guest runtime) ── next, complete ┘
//! ```
//!
//! The slot is taken before the lease, and given back after the outcome was
//! recorded. The database is authoritative about leases; what the worker keeps
//! in memory only decides when it stops trying.

mod attempting;
mod claiming;
mod next;
mod opening;
mod recording;
mod routing;
mod service;
mod serving;
mod throttle;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use engine::{Engine, Standby};
use model::{LeaseId, Limits};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};

use crate::attempt::Attempt;
use crate::limits::SandboxLimits;
use crate::metrics::Counters;
use crate::registry::Registry;
use crate::room::Room;
use crate::routes::Routes;
use crate::settings::WorkerSettings;

pub(crate) use next::NoLease;
pub(crate) use service::{Service, ServiceStop};

/// How long a service may go on that was told to end, while the worker goes on.
const RETIRE_GRACE: Duration = Duration::from_secs(30);

/// Longest to give back what still ran at the end.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// What the parts of a worker share.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) settings: WorkerSettings,
    pub(crate) counters: Arc<Counters>,
    registry: Arc<Registry>,
    limits: SandboxLimits,
    instance_limits: Limits,
    /// The runtime the engine lives on.
    main: Handle,
    /// The runtime guests run on.
    guests: Handle,
    slots: Arc<Semaphore>,
    /// Those of the slots that services may hold, all together.
    service_slots: Arc<Semaphore>,
    attempts: Mutex<HashMap<LeaseId, Arc<Attempt>>>,
    routes: RwLock<Arc<Routes>>,
    /// Its place among those that take executions as they become ready.
    standby: OnceLock<Standby>,
    unopened: opening::Unopened,
    draining: AtomicBool,
    /// Whether the grace for what runs is over.
    given_up: watch::Sender<bool>,
    /// Whether services are begun no more and the last has ended.
    served_out: AtomicBool,
    retire_grace_ms: AtomicU64,
    over: AtomicBool,
    /// Stirs whoever claims: routes changed, or the end is near.
    stirred: Notify,
    /// Stirs whoever reads the routes.
    reroute: Notify,
    /// Stirs whoever assigns kinds to services.
    reassigned: Notify,
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
            instance_limits: engine.limits(),
            slots: Arc::new(Semaphore::new(settings.slots.max(1) as usize)),
            service_slots: Arc::new(Semaphore::new(service_slots(settings.slots))),
            engine,
            settings,
            counters,
            registry,
            limits,
            main: Handle::current(),
            guests,
            attempts: Mutex::default(),
            routes: RwLock::default(),
            standby: OnceLock::new(),
            unopened: opening::Unopened::default(),
            draining: AtomicBool::new(false),
            given_up: watch::Sender::new(false),
            served_out: AtomicBool::new(false),
            retire_grace_ms: AtomicU64::new(millis(RETIRE_GRACE)),
            over: AtomicBool::new(false),
            stirred: Notify::new(),
            reroute: Notify::new(),
            reassigned: Notify::new(),
            ended: Notify::new(),
        });
        worker.start_task("routing", routing::follow);
        worker.start_task("claiming", claiming::claim);
        worker.start_task("serving", serving::supervise);
        worker.start_task("keeper", crate::keeper::keep);
        WorkerHandle { worker }
    }

    /// Starts a task that lasts as long as the worker; one that panics begins again.
    fn start_task<F>(self: &Arc<Self>, name: &'static str, run: fn(Arc<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let worker = self.clone();
        let tasks = self.engine.tasks();
        tasks.spawn(name, move || run(worker.clone()));
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

    /// Has every guest stop, also those that recorded their end themselves.
    fn stop_all(&self) {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        for attempt in attempts.values() {
            attempt.lose();
        }
    }

    /// Begins to keep the lease of an attempt.
    fn hold(&self, attempt: &Arc<Attempt>) {
        self.counters.started.fetch_add(1, Ordering::Relaxed);
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(attempt.fence.lease_id, attempt.clone());
    }

    /// Keeps a lease no more.
    fn let_go(&self, lease_id: LeaseId) {
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&lease_id);
    }

    /// Whether the worker has ended for good.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn is_given_up(&self) -> bool {
        *self.given_up.borrow()
    }

    /// Waits until the grace for what runs is over.
    async fn gave_up(&self) {
        // The sender is here, so waiting cannot fail.
        let _ = self.given_up.subscribe().wait_for(|over| *over).await;
    }

    /// Returns what sandboxes share, also those of other workers of this host.
    fn room(&self) -> &Arc<Room> {
        self.registry.room()
    }

    fn retire_grace(&self) -> Duration {
        Duration::from_millis(self.retire_grace_ms.load(Ordering::Relaxed))
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
        self.reassigned.notify_one();
    }

    /// Ends the worker if it drains and holds nothing: no service, no attempt,
    /// and no slot for an execution that is just being created or resumed for it.
    fn end_if_done(&self) {
        let slots = self.settings.slots.max(1) as usize;
        let served_out = self.served_out.load(Ordering::Relaxed);
        if served_out
            && self.is_draining()
            && self.slots.available_permits() == slots
            && self.running() == 0
        {
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

    /// Returns the kinds the worker or one of its services claims now: those
    /// whose components are loaded.
    pub fn kinds(&self) -> Vec<String> {
        let routes = self.worker.routes();
        let of_services = routes.services().values().flat_map(|route| &route.kinds);
        routes
            .claimable()
            .iter()
            .chain(of_services)
            .cloned()
            .collect()
    }

    /// Has the routes read again now rather than within a second.
    pub fn refresh(&self) {
        self.worker.reroute.notify_one();
    }

    /// Stops claiming, tells services to end, and waits for the attempts that
    /// run. What still runs after `grace` is stopped and its leases given back,
    /// so that another worker takes over at once. Returns how many those were.
    ///
    /// Once `hurry` returns, the grace is over, and so is the patience with a
    /// database that does not answer.
    pub async fn drain(self, grace: Duration, hurry: impl Future<Output = ()>) -> usize {
        let mut hurry = std::pin::pin!(hurry);
        let worker = &self.worker;
        worker
            .retire_grace_ms
            .store(millis(grace), Ordering::Relaxed);
        worker.stop_claiming();
        tokio::select! {
            () = worker.wait_until_over() => return 0,
            () = tokio::time::sleep(grace) => {}
            () = &mut hurry => {}
        }
        worker.given_up.send_replace(true);
        let late = worker.held(|_| true).len();
        worker.stop_all();
        // A stopped guest ends within a tick; what may take longer is a
        // database that does not answer, and then the leases lapse.
        let _ = tokio::time::timeout(GIVE_BACK, worker.wait_until_over()).await;
        worker.over.store(true, Ordering::Relaxed);
        late
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.worker.stop_claiming();
        self.worker.end_if_done();
    }
}

/// Returns how many of the slots services may hold, all together: three
/// quarters, so that none can keep handlers from running by holding on to
/// leases; and at least one.
fn service_slots(slots: u32) -> usize {
    (slots - slots / 4).max(1) as usize
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
