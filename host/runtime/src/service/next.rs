//! Claims one execution for a service that asks for its next.
//!
//! While a service waits it holds neither a slot nor a connection. A claim that
//! found nothing is followed by another when work is announced, or after 25 ms
//! to 1 s; and no sooner than ten times as long as the last one took, so that
//! a service without work spends no more than a tenth of its time asking.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::BackoffBuilder as _;
use tokio::sync::{AcquireError, watch};

use super::run::ServiceRun;
use crate::host::{HeldLease, NextRefusal, ServiceHost as _};
use crate::worker::{
    FAULT_PAUSE, Jitter, POLL_PAUSE_MAX, POLL_PAUSES, Slot, Worker, ask, claim_of,
};

/// Least time between two claims that found nothing.
const GAP_MIN: Duration = Duration::from_millis(5);

impl ServiceRun {
    /// Claims an execution of the kinds routed to the component, waiting at most
    /// `wait_max` for one. Must be polled on the main runtime.
    pub(super) async fn claim_next(
        self: Arc<Self>,
        wait_max: Duration,
    ) -> Result<Option<Arc<HeldLease>>, NextRefusal> {
        let worker = self.worker.clone();
        let max = worker.settings.service_leases_max;
        if self.leases.lock().held.len() >= max as usize {
            return Err(NextRefusal::TooManyLeases(max));
        }
        let until = Instant::now() + wait_max;
        let mut kinds = self.assignment.kinds();
        let mut ready = worker.engine.ready_signal();
        let mut jitter = Jitter::new(&worker.settings.instance_id);
        let mut pauses = POLL_PAUSES.build();
        let mut fault = None;
        loop {
            let wanted = kinds.borrow_and_update().clone();
            if wanted.is_empty() {
                return Err(NextRefusal::Draining);
            }
            let now = Instant::now();
            let not_before = self.leases.lock().not_before;
            if let Some(at) = not_before.filter(|at| *at > now) {
                if now >= until {
                    return nothing(fault);
                }
                tokio::select! {
                    () = sleep_until(at.min(until)) => {}
                    () = changed(&mut kinds) => {}
                    _ = self.stopped() => return Ok(None),
                }
                continue;
            }
            let slot = tokio::select! {
                biased;
                slot = slot(&worker) => match slot {
                    Ok(slot) => slot,
                    Err(_closed) => return Err(NextRefusal::Draining),
                },
                () = changed(&mut kinds) => continue,
                _ = self.stopped() => return Ok(None),
                () = sleep_until(until) => return nothing(fault),
            };
            // Work announced from here on is not missed while the claim runs.
            ready.borrow_and_update();
            let sent = Instant::now();
            let pause = match ask(&worker, claim_of(&worker, wanted.to_vec(), 1)).await {
                Ok(claimed) => {
                    if let Some(claimed) = claimed.into_iter().next() {
                        return Ok(self.take(claimed, sent, slot));
                    }
                    fault = None;
                    let gap = (sent.elapsed() * 10).clamp(GAP_MIN, POLL_PAUSE_MAX);
                    self.leases.lock().wait_until(Instant::now() + gap);
                    pauses.next().unwrap_or(POLL_PAUSE_MAX)
                }
                Err(error) => {
                    fault = Some(error);
                    self.leases.lock().wait_until(Instant::now() + FAULT_PAUSE);
                    FAULT_PAUSE
                }
            };
            drop(slot);
            if Instant::now() >= until {
                return nothing(fault);
            }
            tokio::select! {
                () = sleep_until(until.min(Instant::now() + jitter.around(pause))) => {}
                () = changed(&mut kinds) => {}
                _ = self.stopped() => return Ok(None),
                changed = ready.changed() => if changed.is_err() {
                    // The engine is closing: nothing will be announced any more.
                    tokio::time::sleep(POLL_PAUSE_MAX).await;
                },
            }
        }
    }
}

/// Takes a slot for a service: first a share of what services may have.
async fn slot(worker: &Worker) -> Result<Slot, AcquireError> {
    let share = worker.service_slots.clone().acquire_owned().await?;
    let slot = worker.slots.clone().acquire_owned().await?;
    Ok(vec![slot, share])
}

/// Answers a claim whose time has passed, without work or without an answer of the engine.
fn nothing(fault: Option<engine::Error>) -> Result<Option<Arc<HeldLease>>, NextRefusal> {
    fault.map_or(Ok(None), |error| Err(NextRefusal::Unavailable(error)))
}

async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(tokio::time::Instant::from_std(at)).await;
}

/// Waits until the kinds change; for ever, if they cannot change any more.
async fn changed(kinds: &mut watch::Receiver<Arc<[String]>>) {
    if kinds.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
