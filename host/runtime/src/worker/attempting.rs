//! Runs one claimed execution: lease → attempt in a sandbox → verdict.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engine::{Claimed, Report};
use futures::FutureExt as _;
use model::{Failure, FailureClass, LeaseId};
use tokio::sync::OwnedSemaphorePermit;

use super::Worker;
use super::recording::{self, Ending};
use crate::attempt::Attempt;
use crate::bindings::HandlerPre;
use crate::held::Held;
use crate::host::{EngineSide, HostSide, State};
use crate::keeper::usable;
use crate::routes::Readiness;
use crate::sandbox::{self, Opening};
use crate::verdict::{Ended, Verdict};

/// Begins the attempt of an execution claimed with a claim sent at `sent`.
pub(super) fn begin(
    worker: &Arc<Worker>,
    claimed: Claimed,
    sent: Instant,
    slot: OwnedSemaphorePermit,
) {
    let ttl = Duration::from_millis(u64::from(worker.settings.lease_ttl_ms));
    let attempt = Arc::new(Attempt::new(
        claimed.fence,
        sent,
        sent + usable(ttl),
        claimed.attempt_timeout_ms,
        &worker.limits,
    ));
    worker.hold(&attempt);
    let worker = worker.clone();
    // All of it where the guest runs: every change of threads costs as much as
    // a fresh sandbox. The engine does its input and output elsewhere.
    worker.guests.clone().spawn(async move {
        let _held = LetGo {
            worker: worker.clone(),
            lease_id: claimed.fence.lease_id,
            slot: Some(slot),
        };
        run(&worker, claimed, attempt).await;
    });
}

/// An attempt that holds lease and slot. When it is dropped both are let go, also by a
/// panic on the way: the keeper would renew such a lease for ever, and it lapses.
struct LetGo {
    worker: Arc<Worker>,
    lease_id: LeaseId,
    slot: Option<OwnedSemaphorePermit>,
}

impl Drop for LetGo {
    fn drop(&mut self) {
        self.worker.let_go(self.lease_id);
        drop(self.slot.take());
        self.worker.end_if_done();
    }
}

async fn run(worker: &Arc<Worker>, mut claimed: Claimed, attempt: Arc<Attempt>) {
    let known = Some((claimed.policy.clone(), claimed.retries));
    let routes = worker.routes();
    let target = routes.choose(&claimed.kind, claimed.fence.execution_id);
    let component_id = target.map(|target| target.component_id);
    let verdict = match target.map(|target| &target.component) {
        Some(Readiness::Ready(loaded)) if let Some(handler) = loaded.handler() => {
            let side = HostSide::Engine(EngineSide {
                engine: worker.engine.clone(),
                main: worker.main.clone(),
                component_id,
                lease_ttl_ms: worker.settings.lease_ttl_ms,
                callback_prefix: worker.settings.callback_prefix.clone(),
            });
            let held = Held {
                attempt: attempt.clone(),
                limited: claimed.attempt_timeout_ms.is_some(),
                task: Arc::new(crate::task::task(&mut claimed)),
                resumption: crate::resumption::taken(&mut claimed),
                known: known.clone(),
                came_back: false,
                since: OnceLock::new(),
            };
            let opening = Opening {
                side,
                limits: worker.limits,
                result_bytes_max: worker.result_bytes_max,
            };
            in_sandbox(worker, handler, held.into(), opening).await
        }
        Some(Readiness::Rejected(why)) => unavailable(&claimed.kind, why),
        // Claimed for a route that changed in the meantime.
        Some(Readiness::Ready(_)) => not_opened("a service claims its kind itself by now"),
        Some(Readiness::Pending) | None => not_opened("its component is not loaded any more"),
    };
    let ending = Ending {
        fence: claimed.fence,
        report: Report {
            component_id,
            usage: Some(verdict.usage),
            log: verdict.log,
        },
        known,
    };
    worker
        .counters
        .ended(verdict.outcome.word(), verdict.usage.wall_us);
    recording::record(worker, &attempt, ending, verdict.outcome).await;
}

/// Runs the guest. A panic of the host ends this attempt alone.
async fn in_sandbox(
    worker: &Worker,
    handler: &HandlerPre<State>,
    held: Arc<Held>,
    opening: Opening,
) -> Verdict {
    worker.counters.opens();
    let ended = AssertUnwindSafe(sandbox::run(handler, held, opening))
        .catch_unwind()
        .await;
    worker.counters.live.fetch_sub(1, Ordering::Relaxed);
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
    Verdict {
        outcome: Ended::Failed(failure),
        usage: model::Usage::default(),
        log: None,
    }
}

fn not_opened(why: &str) -> Verdict {
    Verdict {
        outcome: Ended::NotOpened(why.to_owned()),
        usage: model::Usage::default(),
        log: None,
    }
}
