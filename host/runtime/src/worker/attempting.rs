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
use super::opening;
use super::recording::{self, Ending};
use crate::attempt::Attempt;
use crate::bindings::HandlerPre;
use crate::held::Held;
use crate::host::{EngineSide, HostSide, State};
use crate::keeper::usable;
use crate::room::Seat;
use crate::routes::Readiness;
use crate::sandbox::{self, Opening};
use crate::verdict::{self, Ended, Verdict};

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
            let held = Held {
                attempt: attempt.clone(),
                limited: claimed.attempt_timeout_ms.is_some(),
                task: Arc::new(crate::task::task(&mut claimed)),
                resumption: crate::resumption::taken(&mut claimed),
                known: known.clone(),
                came_back: false,
                since: OnceLock::new(),
            };
            let held = Arc::new(held);
            let kept_bytes = held.kept_bytes() as u64;
            loop {
                let seat = match opening::seat(worker, loaded, kept_bytes, &attempt).await {
                    Ok(seat) => seat,
                    Err(stop) => break ended(verdict::stopped(stop)),
                };
                let opening = opening_for(worker, component_id, seat);
                let verdict = in_sandbox(worker, handler, held.clone(), opening).await;
                let Ended::NotOpened(why) = &verdict.outcome else {
                    worker.unopened.opened();
                    break verdict;
                };
                // The lease is kept: giving it back would count an attempt each time.
                if let Err(stop) = opening::pause(worker, &attempt, why).await {
                    break ended(verdict::stopped(stop));
                }
                if worker.is_draining() {
                    break verdict;
                }
            }
        }
        Some(Readiness::Rejected(why)) => unavailable(&claimed.kind, why),
        // Claimed for a route that changed in the meantime.
        Some(Readiness::Ready(_)) => {
            let why = "a service claims its kind itself by now";
            not_opened(worker, &attempt, why).await
        }
        Some(Readiness::Pending) | None => {
            let why = "its component is not loaded any more";
            not_opened(worker, &attempt, why).await
        }
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

fn opening_for(worker: &Worker, component_id: Option<i32>, seat: Arc<Seat>) -> Opening {
    Opening {
        side: HostSide::Engine(EngineSide {
            engine: worker.engine.clone(),
            main: worker.main.clone(),
            component_id,
            lease_ttl_ms: worker.settings.lease_ttl_ms,
            callback_prefix: worker.settings.callback_prefix.clone(),
        }),
        limits: worker.limits,
        instance_limits: worker.instance_limits,
        seat,
    }
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
    ended(Ended::Failed(failure))
}

/// Ends an attempt that this host cannot begin, after a pause.
async fn not_opened(worker: &Worker, attempt: &Attempt, why: &str) -> Verdict {
    ended(match opening::pause(worker, attempt, why).await {
        Ok(()) => Ended::NotOpened(why.to_owned()),
        Err(stop) => verdict::stopped(stop),
    })
}

/// The end of an attempt without a sandbox.
fn ended(outcome: Ended) -> Verdict {
    Verdict {
        outcome,
        usage: model::Usage::default(),
        log: None,
    }
}
