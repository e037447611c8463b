//! Claims executions in batches for the slots that are free.
//!
//! One claim is in flight at a time. A claim that comes back full is followed
//! by another at once; otherwise the worker waits until it is told that work is
//! ready, or asks again after 25 ms to 1 s. Meanwhile it is idle: what is
//! created or resumed on this host is dispatched to it directly. Under load slots free up one by
//! one, so a claim waits a moment for some more of them: the cost of a claim
//! hardly depends on how much it brings. Of kinds whose sandboxes wait for room nothing
//! is claimed, and never much more than there is room for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use engine::{Claim, DirectDispatch};
use model::Limits;
use tokio::sync::OwnedSemaphorePermit;

use super::{Jitter, Worker, attempting};

/// Longest pause between two claims that found nothing.
pub(crate) const POLL_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Pauses after claims that found nothing, if no work is announced.
pub(crate) const POLL_PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(25))
    .with_max_delay(POLL_PAUSE_MAX)
    .without_max_times();
/// How long a claim waits for more slots.
const GATHER: Duration = Duration::from_millis(2);
/// Executions claimed although their sandboxes will have to wait for the budget.
const WAITING_MAX: usize = 4;
/// Pause after a claim that failed.
pub(crate) const FAULT_PAUSE: Duration = Duration::from_millis(500);

/// Claims until the worker drains.
pub(super) async fn claim(worker: Arc<Worker>) {
    let mut ready = worker.engine.ready_signal();
    let mut pauses = POLL_PAUSES.build();
    let mut jitter = Jitter::new(&worker.settings.instance_id);
    let dispatch = worker.dispatch.get_or_init(|| direct_dispatch(&worker));
    while let Some(mut slots) = gather(&worker).await {
        // Work announced from here on is not missed while the claim runs.
        ready.borrow_and_update();
        let max = slots.num_permits().min(Limits::BATCH_MAX);
        let pause = match claim_batch(&worker, max).await {
            Ok((sent, claimed)) => {
                let found = claimed.len();
                for claimed in claimed {
                    let Some(slot) = slots.split(1) else { break };
                    attempting::begin(&worker, claimed, sent, slot);
                }
                if found == max {
                    dispatch.close();
                    pauses = POLL_PAUSES.build();
                    continue;
                }
                worker.accept_dispatch();
                if found > 0 {
                    pauses = POLL_PAUSES.build();
                }
                pauses.next().unwrap_or(POLL_PAUSE_MAX)
            }
            Err(pause) => {
                dispatch.close();
                pause
            }
        };
        drop(slots);
        tokio::select! {
            () = tokio::time::sleep(jitter.around(pause)) => {}
            () = worker.claim_wakeup.notified() => {}
            changed = ready.changed() => if changed.is_err() {
                // The engine is closing: nothing will be announced any more.
                tokio::time::sleep(POLL_PAUSE_MAX).await;
            },
        }
    }
    dispatch.close();
    worker.close_if_done();
}

/// Has attempts begin that need no claim.
fn direct_dispatch(worker: &Arc<Worker>) -> DirectDispatch {
    let worker_itself = Arc::downgrade(worker);
    let begin = move |claimed, sent, slot| {
        if let Some(worker) = worker_itself.upgrade() {
            attempting::begin(&worker, claimed, sent, slot);
        }
    };
    worker
        .engine
        .direct_dispatch(worker.slots.clone(), Box::new(begin))
}

/// Takes what slots are free, waiting for the first one. `None` once the worker
/// drains.
async fn gather(worker: &Worker) -> Option<OwnedSemaphorePermit> {
    let mut slots = loop {
        if worker.is_draining() {
            return None;
        }
        // Notified of every change from here on.
        let emptied = worker.budget().queue_emptied();
        tokio::pin!(emptied);
        emptied.as_mut().enable();
        let admission = worker.budget().admission();
        if worker.routes().claimable_for(admission).is_empty() {
            tokio::select! {
                () = emptied => {}
                () = worker.claim_wakeup.notified() => {}
            }
        } else {
            tokio::select! {
                slot = worker.slots.clone().acquire_owned() => break slot.ok()?,
                () = worker.claim_wakeup.notified() => {}
            }
        }
    };
    let enough = (worker.settings.slots as usize / 4).max(1);
    if worker.slots.available_permits() + 1 < enough {
        tokio::time::sleep(GATHER).await;
    }
    let more = worker
        .slots
        .available_permits()
        .min(Limits::BATCH_MAX - 1)
        .min(worker.budget().openings_left() + WAITING_MAX);
    if more > 0
        && let Ok(more) = u32::try_from(more)
        && let Ok(others) = worker.slots.clone().try_acquire_many_owned(more)
    {
        slots.merge(others);
    }
    (!worker.is_draining()).then_some(slots)
}

/// Sends one claim. A fault is logged, and becomes a pause.
async fn claim_batch(
    worker: &Worker,
    max: usize,
) -> Result<(Instant, Vec<engine::Claimed>), Duration> {
    let claim = claim_of(worker, worker.claimable(), max);
    let sent = Instant::now();
    match ask(worker, claim).await {
        Ok(claimed) => Ok((sent, claimed)),
        Err(_logged) => Err(FAULT_PAUSE),
    }
}

/// Sends a claim, counts it, and logs a fault.
pub(crate) async fn ask(
    worker: &Worker,
    claim: Claim,
) -> Result<Vec<engine::Claimed>, engine::Error> {
    worker.counters.claims.fetch_add(1, Ordering::Relaxed);
    let answer = worker.engine.claim(claim).await;
    if let Err(error) = &answer {
        worker.counters.claim_faults.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, "a claim failed");
    }
    answer
}

impl Worker {
    /// Returns the kinds that are claimed for handlers now.
    fn claimable(&self) -> Vec<String> {
        let admission = self.budget().admission();
        self.routes().claimable_for(admission).to_vec()
    }

    /// Has what is created or resumed for the kinds claimed now dispatched without a
    /// claim.
    fn accept_dispatch(&self) {
        // Locked, so that a change of routes does not come in between: what was
        // routed away is not dispatched.
        let routes = self.routes.read();
        if let Some(dispatch) = self.dispatch.get() {
            let kinds = routes.claimable_for(self.budget().admission());
            if kinds.is_empty() {
                dispatch.close();
            } else {
                dispatch.open(claim_of(self, kinds.to_vec(), 0));
            }
        }
    }
}

/// Builds a claim of `kinds` as this worker makes it.
pub(crate) fn claim_of(worker: &Worker, kinds: Vec<String>, max: usize) -> Claim {
    Claim {
        worker_instance_id: worker.settings.instance_id.clone(),
        namespaces: None,
        lanes: worker.settings.lanes.clone(),
        kinds: Some(kinds),
        capabilities: worker.settings.capabilities.clone(),
        max: u32::try_from(max).unwrap_or(u32::MAX),
        lease_ttl_ms: worker.settings.lease_ttl_ms,
    }
}
