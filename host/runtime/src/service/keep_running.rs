//! Runs a service again and again until its assignment is retired.
//!
//! The pause between two runs doubles from 100 ms to 30 s and is short again once a run
//! has lasted a minute, so that a component that fails immediately costs next to
//! nothing. Each run has a sandbox of its own; what became of the leases of one is
//! recorded before the next begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use engine::pauses;
use model::Failure;

use super::assignment::ServiceAssignment;
use super::run::ServiceRun;
use crate::attempt::ServiceStop;
use crate::component::registry::Loaded;
use crate::host::{SandboxUsage, ServiceHost};
use crate::sandbox::{self, verdict};
use crate::worker::Worker;

const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSES: ExponentialBuilder = pauses(Duration::from_millis(100), PAUSE_MAX);
/// Length of a run after which the next pause is a short one.
const HEALTHY: Duration = Duration::from_secs(60);

/// Opens one sandbox after the other until the assignment is retired.
pub(super) async fn keep_running(
    worker: Arc<Worker>,
    assignment: Arc<ServiceAssignment>,
    loaded: Arc<Loaded>,
) {
    let mut pauses = PAUSES.build();
    let component = assignment.digest;
    while !assignment.is_retired() {
        let began = Instant::now();
        tracing::info!(%component, kinds = ?*assignment.kinds().borrow(), "a service begins");
        let (failure, held) = run_once(&worker, &assignment, &loaded).await;
        if assignment.is_retired() {
            tracing::info!(%component, why = %failure.message, held, "a service has ended");
            return;
        }
        if began.elapsed() >= HEALTHY {
            pauses = PAUSES.build();
        }
        let pause = pauses.next().unwrap_or(PAUSE_MAX);
        worker.counters.service_restarts.inc();
        tracing::warn!(
            %component,
            code = failure.code,
            why = failure.message,
            backtrace = failure.backtrace,
            held,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "a service ended by itself; it is started again after a pause"
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = assignment.retired() => {}
        }
    }
}

/// Runs the service once and returns how it ended and how many leases it held then,
/// once what became of those is recorded.
async fn run_once(
    worker: &Arc<Worker>,
    assignment: &Arc<ServiceAssignment>,
    loaded: &Arc<Loaded>,
) -> (Failure, usize) {
    let demand = loaded.footprint.demand(&worker.limits, 0);
    let reservation = tokio::select! {
        biased;
        reservation = worker.budget().reserve(&demand) => reservation,
        () = assignment.retired() => return (verdict::service_not_opened(), 0),
    };
    let run = ServiceRun::new(worker.clone(), assignment.clone());
    let setup = worker.sandbox_setup(Some(assignment.component_id), reservation);
    let guard = StopOnDrop::new(run.clone());
    let mut task = worker.guests.spawn({
        let (loaded, service) = (loaded.clone(), run.clone() as Arc<dyn ServiceHost>);
        async move {
            let component = loaded.service()?;
            Some(sandbox::serve(component, &service, setup).await)
        }
    });
    let exit = tokio::select! {
        exit = &mut task => exit,
        () = grace_expired(worker, assignment) => {
            run.stop(ServiceStop::Retired);
            task.await
        }
    };
    guard.disarm();
    let (failure, used) = match exit {
        Ok(Some(exit)) => (
            verdict::of_service(exit.answer, exit.phase, &run.stderr_tail()),
            exit.used,
        ),
        Ok(None) => (
            verdict::host_fault("the component is not a service"),
            SandboxUsage::default(),
        ),
        // The host panicked; that ends this run alone.
        Err(_panicked) => (
            verdict::host_fault("the host failed while it ran the service"),
            SandboxUsage::default(),
        ),
    };
    let held = run.end(&failure, used).await;
    (failure, held)
}

/// Stops a run if the task that waits for its end is dropped first, as when it panicked:
/// another run takes its place. Counts the run meanwhile.
struct StopOnDrop {
    run: Arc<ServiceRun>,
    is_armed: bool,
}

impl StopOnDrop {
    fn new(run: Arc<ServiceRun>) -> Self {
        let counters = &run.worker.counters;
        counters.services.inc();
        counters.sandboxes_open.inc();
        Self {
            run,
            is_armed: true,
        }
    }

    /// Notes that the run has ended by itself.
    fn disarm(mut self) {
        self.is_armed = false;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let counters = &self.run.worker.counters;
        counters.sandboxes_open.dec();
        counters.services.dec();
        if self.is_armed {
            self.run.stop(ServiceStop::Retired);
        }
    }
}

/// Returns when a service that was told to end has not: after the grace, or
/// immediately when the host stops what runs.
async fn grace_expired(worker: &Worker, assignment: &ServiceAssignment) {
    assignment.retired().await;
    tokio::select! {
        () = tokio::time::sleep(worker.retire_grace()) => {}
        () = worker.forced_to_stop() => {}
    }
}
