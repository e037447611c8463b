//! Runs one claimed execution: lease → attempt in a sandbox → verdict.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use engine::{Claimed, Report};
use futures::FutureExt as _;
use model::{Failure, FailureClass};
use tokio::sync::OwnedSemaphorePermit;

use super::routes::Readiness;
use super::{Worker, recording, reserving};
use crate::attempt::{Attempt, to_foreground};
use crate::component::registry::Loaded;
use crate::host::bindings::HandlerPre;
use crate::host::{HeldLease, State};
use crate::sandbox::{self, AttemptEnd, SandboxSetup, Verdict, verdict};

/// Begins the attempt of an execution claimed with a claim sent at `sent`.
pub(super) fn begin(
    worker: &Arc<Worker>,
    claimed: Claimed,
    sent: Instant,
    slot: OwnedSemaphorePermit,
) {
    let (attempt, slot) = worker.keep_lease(&claimed, sent, vec![slot]);
    let (worker, guests) = (worker.clone(), worker.guests.clone());
    // All of it where the guest runs: every change of threads costs as much as
    // a fresh sandbox. The engine does its input and output elsewhere.
    let run = async move {
        let _slot = slot;
        run(&worker, HeldLease::new(attempt, claimed)).await;
    };
    guests.spawn(run);
}

async fn run(worker: &Arc<Worker>, held: HeldLease) {
    let held = Arc::new(held);
    let attempt = &held.attempt;
    let routes = worker.routes();
    let target = routes.choose(&held.task.kind, attempt.fence.execution_id);
    let component_id = target.map(|target| target.component_id);
    let verdict = match target.map(|target| &target.component) {
        Some(Readiness::Ready(loaded)) if let Some(handler) = loaded.handler() => {
            open_and_run(worker, loaded, handler, component_id, &held).await
        }
        Some(Readiness::Rejected(why)) => unavailable(&held.task.kind, why),
        // Claimed for a route that changed in the meantime.
        Some(Readiness::Ready(_)) => {
            not_opened(worker, attempt, "a service claims its kind by now").await
        }
        Some(Readiness::Pending) | None => {
            not_opened(worker, attempt, "its component is not loaded any more").await
        }
    };
    // Recording is short, and does not wait for guests that compute.
    to_foreground().await;
    let report = Report {
        component_id,
        usage: Some(verdict.usage),
        log: verdict.log,
    };
    worker
        .counters
        .count_end(verdict.outcome.label(), verdict.usage.wall_us);
    recording::record(worker, &held, report, verdict.outcome).await;
}

/// Runs the handler in a sandbox, trying again as long as none can be opened.
async fn open_and_run(
    worker: &Worker,
    loaded: &Loaded,
    handler: &HandlerPre<State>,
    component_id: Option<i32>,
    held: &Arc<HeldLease>,
) -> Verdict {
    let attempt = &held.attempt;
    let kept_bytes = held.kept_bytes() as u64;
    loop {
        let reservation = match reserving::reserve(worker, loaded, kept_bytes, attempt).await {
            Ok(reservation) => reservation,
            Err(stop) => return without_sandbox(verdict::of_stop(stop)),
        };
        let setup = worker.sandbox_setup(component_id, reservation);
        let verdict = in_sandbox(worker, handler, held.clone(), setup).await;
        let AttemptEnd::NotOpened(why) = &verdict.outcome else {
            worker.open_failures.clear();
            return verdict;
        };
        // The lease is kept: returning it would count an attempt each time.
        if let Err(stop) = reserving::pause(worker, attempt, why).await {
            return without_sandbox(verdict::of_stop(stop));
        }
        if worker.is_draining() {
            return verdict;
        }
    }
}

/// Runs the guest. A panic of the host ends this attempt alone.
async fn in_sandbox(
    worker: &Worker,
    handler: &HandlerPre<State>,
    held: Arc<HeldLease>,
    setup: SandboxSetup,
) -> Verdict {
    worker.counters.count_opening();
    let ended = AssertUnwindSafe(sandbox::run(handler, held, setup))
        .catch_unwind()
        .await;
    worker.counters.sandboxes_open.dec();
    ended.unwrap_or_else(|_panic| {
        tracing::error!("the host failed while it ran a guest");
        failed(Failure::new(
            FailureClass::InfraCrash,
            "host_fault",
            "the host failed while it ran the handler; the operator's log says why",
        ))
    })
}

fn unavailable(kind: &str, why: &str) -> Verdict {
    failed(Failure::new(
        FailureClass::InfraCrash,
        "component_unavailable",
        format!("the component that kind `{kind}` routes to cannot be run: {why}"),
    ))
}

fn failed(failure: Failure) -> Verdict {
    without_sandbox(AttemptEnd::Failed(failure))
}

/// Ends an attempt that this host cannot begin, after a pause.
async fn not_opened(worker: &Worker, attempt: &Attempt, why: &str) -> Verdict {
    without_sandbox(match reserving::pause(worker, attempt, why).await {
        Ok(()) => AttemptEnd::NotOpened(why.to_owned()),
        Err(stop) => verdict::of_stop(stop),
    })
}

fn without_sandbox(outcome: AttemptEnd) -> Verdict {
    Verdict {
        outcome,
        usage: model::Usage::default(),
        log: None,
    }
}
