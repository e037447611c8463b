//! `POST /v1/workers/{worker_instance_id}/claim`: work for a program, waiting
//! for some if there is none.
//!
//! While a request waits it holds a place in memory and nothing in the database.
//! It is woken when work may be ready on any host, and looks by itself at growing
//! intervals, since a wake-up is only a hint. Claims of all who wait take turns,
//! so that they leave connections for everything else; and of many who are woken
//! for the same work only so many claim until one finds that it is gone.
//!
//! A client that goes away while it waits claims no more. One that goes away
//! while its claim runs cannot be given what the claim finds: that is released
//! at once and ready again. If the answer is lost on its way, its leases lapse.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::{Claim, Claimed, Declined, Engine, HeldLease, Report, Seals};
use tokio::sync::oneshot;

use crate::api::{ClaimWork, ClaimedExecution, ClaimedWork, ProblemBody};
use crate::http::answer::Json;
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::http::{App, body};

/// Claims for workers outside that run at once on this host.
pub const TURNS: usize = 4;

/// First pause between two looks; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(250);
const POLL_MAX: Duration = Duration::from_secs(1);

/// Up to which announcement of work nothing is left for whoever asks alike.
#[derive(Debug, Default)]
pub struct Emptied(Mutex<HashMap<Filter, u64>>);

/// Lanes, kinds and capabilities.
type Filter = (Vec<String>, Option<Vec<String>>, BTreeSet<String>);

/// Most filters remembered; forgetting them costs a claim each.
const FILTERS_MAX: usize = 1000;

impl Emptied {
    /// Whether a claim that began after this announcement left nothing.
    fn covers(&self, filter: &Filter, announced: u64) -> bool {
        let emptied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        emptied.get(filter).is_some_and(|at| *at >= announced)
    }

    fn note(&self, filter: Filter, announced: u64) {
        let mut emptied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if emptied.len() >= FILTERS_MAX {
            emptied.clear();
        }
        let at = emptied.entry(filter).or_default();
        *at = announced.max(*at);
    }
}

/// Claims executions for a worker, waiting for some if there are none.
///
/// Each comes under a lease of its own, which the worker renews, ends, or lets
/// lapse. The answer is an empty list when the time is over first or the host begins
/// to drain; a host that drains answers 503 `draining` at once: ask another one, or
/// again after the seconds in `Retry-After`. A worker need not be registered.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/claim", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "Who asks; kept with the leases")),
    request_body = ClaimWork,
    responses(
        (status = 200, body = ClaimedWork),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn claim(
    State(app): State<App>,
    Path(worker): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ClaimedWork>, Problem> {
    query.end()?;
    app.refuse_draining()?;
    model::worker_name("worker_instance_id", &worker)?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: ClaimWork = body::json(&headers, &bytes)?;
    request.check()?;
    // Before the claim: what cannot be handed out must not be leased.
    let seals = app.engine.seals().await?;
    let wait = Duration::from_millis(request.wait_ms.into());
    let wanted = Claim {
        worker_instance_id: worker.clone(),
        lanes: request.lanes.into_iter().collect(),
        kinds: Some(request.kinds.into_iter().collect()),
        capabilities: request.capabilities,
        max: request.max,
        lease_ttl_ms: request.lease_ttl_ms,
    };
    let claimed = poll(&app, wanted, wait).await?;
    let executions = claimed
        .into_iter()
        .map(|claimed| shown(seals, &worker, claimed))
        .collect();
    Ok(Json(ClaimedWork { executions }))
}

/// Claims until something is found, the time is over or the host drains.
async fn poll(app: &App, wanted: Claim, wait: Duration) -> Result<Vec<Claimed>, Problem> {
    let mut ready = app.engine.ready_signal();
    let mut over = pin!(tokio::time::sleep(wait));
    let mut pause = POLL_MIN;
    let mut woken = false;
    loop {
        // Work announced from here on is not missed while the claim runs.
        let announced = *ready.borrow_and_update();
        let found = take_turn(app, &wanted, announced, woken).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        tokio::select! {
            biased;
            () = &mut over => return Ok(found),
            () = app.drains() => return Ok(found),
            changed = ready.changed() => match changed {
                Ok(()) => woken = true,
                // The engine is closing: nothing will be announced any more.
                Err(_) => return Ok(found),
            },
            () = tokio::time::sleep(pause) => {
                pause = (pause * 2).min(POLL_MAX);
                woken = false;
            }
        }
    }
}

/// Runs one claim in a task of its own, which gives back what it finds when
/// nobody waits for it any more. One who was merely woken claims nothing if what
/// was announced is gone by the time it is his turn.
async fn take_turn(
    app: &App,
    wanted: &Claim,
    announced: u64,
    woken: bool,
) -> Result<Vec<Claimed>, Problem> {
    let filter = (
        wanted.lanes.clone(),
        wanted.kinds.clone(),
        wanted.capabilities.clone(),
    );
    // The semaphore is never closed.
    let _turn = app.claim_turns.acquire().await;
    if woken && app.emptied.covers(&filter, announced) {
        return Ok(Vec::new());
    }
    let (sender, receiver) = oneshot::channel();
    let (engine, claim) = (app.engine.clone(), wanted.clone());
    tokio::spawn(async move {
        let answer = engine.claim(claim).await;
        if let Err(Ok(undelivered)) = sender.send(answer) {
            give_back(&engine, undelivered).await;
        }
    });
    match receiver.await {
        Ok(answer) => {
            let found = answer?;
            if found.len() < wanted.max as usize {
                app.emptied.note(filter, announced);
            }
            Ok(found)
        }
        Err(_) => Err(Problem::new(Code::Internal, "the claim gave no answer")),
    }
}

async fn give_back(engine: &Engine, undelivered: Vec<Claimed>) {
    let released = undelivered
        .iter()
        .map(|claimed| engine.release(claimed.fence, Report::default()));
    for released in futures::future::join_all(released).await {
        if let Err(Declined::Fault(error)) = released {
            tracing::warn!(%error, "a lease that reached no worker could not be returned; it will expire");
        }
    }
}

/// Shows an execution to whoever holds its lease.
pub fn shown(seals: &Seals, worker: &str, claimed: Claimed) -> ClaimedExecution {
    let lease = seals.seal_lease(&HeldLease {
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
    fn what_is_gone_for_one_is_gone_for_all_who_ask_alike() {
        let filter = |kind: &str| (Vec::new(), Some(vec![kind.to_owned()]), BTreeSet::new());
        let emptied = Emptied::default();
        assert!(!emptied.covers(&filter("a"), 3));
        emptied.note(filter("a"), 5);
        emptied.note(filter("a"), 4);
        assert!(emptied.covers(&filter("a"), 5));
        assert!(!emptied.covers(&filter("a"), 6), "announced since");
        assert!(!emptied.covers(&filter("b"), 5), "another kind");
    }
}
