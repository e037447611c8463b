//! `POST /v1/workers/{worker_instance_id}/claim`: claims work for a worker outside this
//! host, and waits for some if there is none.
//!
//! A request that waits holds memory and no connection to the database. It is woken when
//! work may be ready on any host, and checks by itself at growing intervals, since a
//! wake-up is only a hint. Few claims run at the same time, so that connections are left
//! for everything else; and of many requests that are woken for the same work, later ones
//! skip their claim once one has found that none is left.
//!
//! A client that goes away while it waits claims no more. When one goes away
//! while its claim runs, what the claim finds is released immediately and ready again. If
//! the answer is lost on its way, its leases expire.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::time::Duration;

use axum::extract::State;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use engine::{Claim, Claimed, Declined, Engine, HandleSigner, HeldLease, Report};
use model::Scope;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::api::{ClaimWork, ClaimedExecution, ClaimedWork};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::NoQuery;

/// Claims for workers outside that run at the same time on this host.
pub const CLAIMS_MAX: usize = 4;

/// First pause between two checks; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(250);
const POLL_MAX: Duration = Duration::from_secs(1);

/// For each filter, the last wake-up after which a claim found no more work.
#[derive(Debug, Default)]
pub struct DrainedFilters(Mutex<HashMap<Filter, u64>>);

/// Namespaces, lanes, kinds and capabilities.
type Filter = (
    Option<BTreeSet<String>>,
    Vec<String>,
    Option<Vec<String>>,
    BTreeSet<String>,
);

/// Most filters remembered; forgetting them costs a claim each.
const FILTERS_MAX: usize = 1000;

impl DrainedFilters {
    /// Returns whether a claim that began after this wake-up left nothing.
    fn covers(&self, filter: &Filter, wake_up: u64) -> bool {
        self.0.lock().get(filter).is_some_and(|at| *at >= wake_up)
    }

    fn note(&self, filter: Filter, wake_up: u64) {
        let mut drained = self.0.lock();
        if drained.len() >= FILTERS_MAX {
            drained.clear();
        }
        let at = drained.entry(filter).or_default();
        *at = wake_up.max(*at);
    }
}

/// Claims executions for a worker, waiting for some if there are none.
///
/// Each comes under a lease of its own, which the worker renews, ends, or lets
/// expire. The answer is an empty list when the time is over first or the host begins
/// to drain; a host that drains answers 503 `draining` immediately: ask another one, or
/// again after the seconds in `Retry-After`. A worker need not be registered.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/claim", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process that will hold the leases")),
    request_body = ClaimWork,
    responses((status = 200, body = ClaimedWork))
)]
pub async fn claim(
    State(app): State<App>,
    caller: Caller,
    Path(worker): Path<String>,
    _: NoQuery,
    Body(request): Body<ClaimWork>,
) -> Answer<ClaimedWork> {
    app.refuse_draining()?;
    model::worker_name("worker_instance_id", &worker)?;
    request.check()?;
    let namespaces = claimable(&caller, request.namespaces)?;
    // Before the claim: what cannot be handed out must not be leased.
    let signer = app.engine.handle_signer().await?;
    let wait = Duration::from_millis(request.wait_ms.into());
    let wanted = Claim {
        worker_instance_id: worker.clone(),
        namespaces,
        lanes: request.lanes.into_iter().collect(),
        kinds: Some(request.kinds.into_iter().collect()),
        capabilities: request.capabilities,
        max: request.max,
        lease_ttl_ms: request.lease_ttl_ms,
    };
    let claimed = poll(&app, wanted, wait).await?;
    let executions = claimed
        .into_iter()
        .map(|claimed| shown(signer, &worker, claimed))
        .collect();
    Ok(Json(ClaimedWork { executions }))
}

/// Returns the namespaces to claim in: those that are named, or all in which the caller may;
/// absent for any.
fn claimable(
    caller: &Caller,
    named: BTreeSet<String>,
) -> Result<Option<BTreeSet<String>>, Problem> {
    if named.is_empty() {
        return Ok(match caller.scope() {
            Scope::Everywhere => None,
            Scope::Namespaces(namespaces) => Some(namespaces.clone()),
        });
    }
    for name in &named {
        caller.within(Some(name))?;
    }
    Ok(Some(named))
}

/// Claims until something is found, the time is over or the host drains.
async fn poll(app: &App, wanted: Claim, wait: Duration) -> Result<Vec<Claimed>, Problem> {
    let mut ready = app.engine.ready_signal();
    let mut over = pin!(tokio::time::sleep(wait));
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(POLL_MIN)
        .with_max_delay(POLL_MAX)
        .without_max_times()
        .build();
    let mut woken = false;
    loop {
        // Work that gets ready from here on is not missed while the claim runs.
        let wake_up = *ready.borrow_and_update();
        let found = claim_once(app, &wanted, wake_up, woken).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        tokio::select! {
            biased;
            () = &mut over => return Ok(found),
            () = app.drains() => return Ok(found),
            changed = ready.changed() => match changed {
                Ok(()) => woken = true,
                // The engine is closing: no work gets ready any more.
                Err(_) => return Ok(found),
            },
            () = tokio::time::sleep(pauses.next().unwrap_or(POLL_MAX)) => woken = false,
        }
    }
}

/// Runs one claim in a task of its own, which releases what it finds when the client is
/// gone. A request that was merely woken claims nothing if the work is gone by the time
/// it has a permit.
async fn claim_once(
    app: &App,
    wanted: &Claim,
    wake_up: u64,
    woken: bool,
) -> Result<Vec<Claimed>, Problem> {
    let filter = (
        wanted.namespaces.clone(),
        wanted.lanes.clone(),
        wanted.kinds.clone(),
        wanted.capabilities.clone(),
    );
    // The semaphore is never closed.
    let _permit = app.claim_permits.acquire().await;
    if woken && app.drained_filters.covers(&filter, wake_up) {
        return Ok(Vec::new());
    }
    let (sender, receiver) = oneshot::channel();
    let (engine, claim) = (app.engine.clone(), wanted.clone());
    tokio::spawn(async move {
        let answer = engine.claim(claim).await;
        if let Err(Ok(undelivered)) = sender.send(answer) {
            release_all(&engine, undelivered).await;
        }
    });
    match receiver.await {
        Ok(answer) => {
            let found = answer?;
            if found.len() < wanted.max as usize {
                app.drained_filters.note(filter, wake_up);
            }
            Ok(found)
        }
        Err(_) => Err(Problem::new(Code::Internal, "the claim gave no answer")),
    }
}

async fn release_all(engine: &Engine, undelivered: Vec<Claimed>) {
    let released = undelivered
        .iter()
        .map(|claimed| engine.release(claimed.fence, Report::default()));
    for released in futures::future::join_all(released).await {
        if let Err(Declined::Fault(error)) = released {
            tracing::warn!(%error, "a claimed lease could not be released after its client went away; it will expire");
        }
    }
}

/// Shows an execution to the holder of its lease.
pub fn shown(signer: &HandleSigner, worker: &str, claimed: Claimed) -> ClaimedExecution {
    let lease = signer.sign_lease(&HeldLease {
        fence: claimed.fence,
        namespace: claimed.namespace.clone(),
        worker_instance_id: worker.to_owned(),
    });
    ClaimedExecution::new(lease, claimed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_work_is_not_claimed_for_again_until_the_next_wake_up() {
        let filter = |kind: &str| {
            let kinds = Some(vec![kind.to_owned()]);
            (None, Vec::new(), kinds, BTreeSet::new())
        };
        let drained = DrainedFilters::default();
        assert!(!drained.covers(&filter("a"), 3));
        drained.note(filter("a"), 5);
        drained.note(filter("a"), 4);
        assert!(drained.covers(&filter("a"), 5));
        assert!(!drained.covers(&filter("a"), 6), "a later wake-up");
        assert!(!drained.covers(&filter("b"), 5), "another kind");
    }
}
