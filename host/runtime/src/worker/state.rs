//! What the tasks of a worker share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{DirectDispatch, Engine};
use model::{LeaseId, Limits};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};

use super::routes::Routes;
use super::{Counters, claiming, keeper, live_log, reserving, routing};
use crate::attempt::{Attempt, Guests};
use crate::component::registry::Registry;
use crate::host::{Backend, EngineBackend};
use crate::memory::{Reservation, SandboxBudget};
use crate::sandbox::SandboxSetup;
use crate::settings::{SandboxLimits, WorkerSettings};

/// How long a service that was told to end may still run, while the worker continues.
const RETIRE_GRACE: Duration = Duration::from_secs(30);

/// What the tasks of a worker share.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) settings: WorkerSettings,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: SandboxLimits,
    /// The runtime the engine was started on.
    pub(crate) main: Handle,
    /// The runtime guests run on.
    pub(crate) guests: Guests,
    pub(super) registry: Arc<Registry>,
    pub(crate) slots: Arc<Semaphore>,
    /// Those of the slots that services may hold, all together.
    pub(crate) service_slots: Arc<Semaphore>,
    /// The attempts whose leases the keeper renews.
    pub(super) attempts: Mutex<HashMap<LeaseId, Arc<Attempt>>>,
    pub(super) routes: RwLock<Arc<Routes>>,
    /// Its entry among the workers that take executions as they become ready.
    pub(super) dispatch: OnceLock<DirectDispatch>,
    pub(super) open_failures: reserving::OpenFailures,
    draining: AtomicBool,
    /// Whether attempts are stopped now, because the grace of a drain has passed.
    pub(super) forced_stop: watch::Sender<bool>,
    /// Whether no service runs any more and none will be started.
    services_stopped: AtomicBool,
    pub(super) retire_grace_ms: AtomicU64,
    pub(super) closed: AtomicBool,
    /// Wakes the claiming task: routes changed, or the worker drains.
    pub(super) claim_wakeup: Notify,
    /// Wakes the task that reads the routes.
    pub(super) routes_wakeup: Notify,
    /// Wakes the task that assigns kinds to services.
    pub(crate) services_wakeup: Notify,
    /// Notified when the worker is closed.
    closed_wakeup: Notify,
    instance_limits: Limits,
}

impl Worker {
    /// Starts a worker on the present runtime, its guests on `guests`.
    pub(crate) fn start(
        engine: Engine,
        registry: Arc<Registry>,
        settings: WorkerSettings,
        limits: SandboxLimits,
        counters: Arc<Counters>,
        guests: Guests,
    ) -> Arc<Self> {
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
            dispatch: OnceLock::new(),
            open_failures: reserving::OpenFailures::default(),
            draining: AtomicBool::new(false),
            forced_stop: watch::Sender::new(false),
            services_stopped: AtomicBool::new(false),
            retire_grace_ms: AtomicU64::new(millis(RETIRE_GRACE)),
            closed: AtomicBool::new(false),
            claim_wakeup: Notify::new(),
            routes_wakeup: Notify::new(),
            services_wakeup: Notify::new(),
            closed_wakeup: Notify::new(),
        });
        worker.start_task("routing", routing::follow);
        worker.start_task("claiming", claiming::claim);
        worker.start_task("keeper", keeper::keep);
        worker.start_task("live log", live_log::show);
        worker
    }

    /// Starts a task that lasts as long as the worker; one that panics is started again.
    pub(crate) fn start_task<F>(self: &Arc<Self>, name: &'static str, run: fn(Arc<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let worker = self.clone();
        let tasks = self.engine.tasks();
        tasks.spawn(name, move || run(worker.clone()));
    }

    /// Returns the attempts that hold a lease and fit.
    pub(super) fn held(&self, fits: impl Fn(&Attempt) -> bool) -> Vec<Arc<Attempt>> {
        self.attempts
            .lock()
            .values()
            .filter(|attempt| !attempt.is_recorded() && fits(attempt))
            .cloned()
            .collect()
    }

    /// Has every guest stop, also those that recorded their end themselves.
    pub(super) fn stop_all(&self) {
        for attempt in self.attempts.lock().values() {
            attempt.lose();
        }
    }

    /// Whether the worker has ended for good.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether attempts are stopped now, because the grace of a drain has passed.
    pub(crate) fn is_forced_to_stop(&self) -> bool {
        *self.forced_stop.borrow()
    }

    /// Waits until attempts are stopped because the grace of a drain has passed.
    pub(crate) async fn forced_to_stop(&self) {
        // The sender is here, so waiting cannot fail.
        let _ = self
            .forced_stop
            .subscribe()
            .wait_for(|forced| *forced)
            .await;
    }

    /// Returns what sandboxes share, also those of other workers of this host.
    pub(crate) fn budget(&self) -> &Arc<SandboxBudget> {
        self.registry.budget()
    }

    /// Returns what a sandbox of a component is opened with.
    pub(crate) fn sandbox_setup(
        &self,
        component_id: Option<i32>,
        reservation: Arc<Reservation>,
    ) -> SandboxSetup {
        SandboxSetup {
            backend: Backend::Engine(EngineBackend {
                engine: self.engine.clone(),
                main: self.main.clone(),
                component_id,
                lease_ttl_ms: self.settings.lease_ttl_ms,
                callback_prefix: self.settings.callback_prefix.clone(),
            }),
            limits: self.limits,
            instance_limits: self.instance_limits,
            reservation,
        }
    }

    pub(crate) fn retire_grace(&self) -> Duration {
        Duration::from_millis(self.retire_grace_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.routes.read().clone()
    }

    pub(super) fn running(&self) -> usize {
        self.attempts.lock().len()
    }

    pub(super) fn stop_claiming(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.claim_wakeup.notify_one();
        self.routes_wakeup.notify_one();
        self.services_wakeup.notify_one();
    }

    /// Notes that no service runs any more and none will be started.
    pub(crate) fn services_stopped(&self) {
        self.services_stopped.store(true, Ordering::Relaxed);
        self.close_if_done();
    }

    /// Closes the worker if it drains and holds nothing: no service, no attempt,
    /// and no slot for an execution that is just being created or resumed for it.
    pub(super) fn close_if_done(&self) {
        let slots = self.settings.slots.max(1) as usize;
        if self.services_stopped.load(Ordering::Relaxed)
            && self.is_draining()
            && self.slots.available_permits() == slots
            && self.running() == 0
        {
            self.closed.store(true, Ordering::Relaxed);
            self.closed_wakeup.notify_waiters();
        }
    }

    pub(super) async fn wait_until_closed(&self) {
        loop {
            let closed = self.closed_wakeup.notified();
            tokio::pin!(closed);
            closed.as_mut().enable();
            self.close_if_done();
            if self.is_closed() {
                return;
            }
            // A slot may also be released by a creation that failed.
            let _ = tokio::time::timeout(Duration::from_millis(20), closed).await;
        }
    }
}

/// Returns how many of the slots services may hold, all together: three
/// quarters, so that services that keep their leases do not keep handlers from running;
/// and at least one.
fn service_slots(slots: u32) -> usize {
    (slots - slots / 4).max(1) as usize
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
