//! Claims one execution for a service that asks for its next.
//!
//! While a service waits it holds neither a slot nor a connection. A claim that
//! found nothing is followed by another when work is announced, or after 25 ms
//! to 1 s; and no sooner than ten times as long as the last one took, so that
//! a service without work spends no more than a tenth of its time asking.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, watch};

use super::Worker;
use super::claiming::{FAULT_PAUSE, Jitter, POLL_MAX, POLL_MIN, ask, claim_of};
use super::service::{Service, Slot};
use crate::held::Held;

/// Least time between two claims that found nothing.
const GAP_MIN: Duration = Duration::from_millis(5);

/// Why there is no lease.
#[derive(Debug)]
pub(crate) enum NoLease {
    /// There will be none any more.
    Draining,
    /// The sandbox holds this many, which is all it may.
    TooMany(u32),
    /// The engine did not answer.
    Unavailable(engine::Error),
}

impl Service {
    /// Claims an execution of the kinds routed to the component, waiting at most
    /// `wait` for one. Must be polled on the main runtime.
    pub(crate) async fn next(
        self: Arc<Self>,
        wait: Duration,
    ) -> Result<Option<Arc<Held>>, NoLease> {
        let worker = self.worker.clone();
        let max = worker.settings.service_leases_max;
        if self.holds() >= max as usize {
            return Err(NoLease::TooMany(max));
        }
        let until = Instant::now() + wait;
        let mut kinds = self.post.kinds();
        let mut ready = worker.engine.ready_signal();
        let mut jitter = Jitter::new(&worker.settings.instance_id);
        let mut poll = POLL_MIN;
        let mut fault = None;
        loop {
            let wanted = kinds.borrow_and_update().clone();
            if wanted.is_empty() {
                return Err(NoLease::Draining);
            }
            let now = Instant::now();
            if let Some(at) = self.not_before().filter(|at| *at > now) {
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
                    Err(_closed) => return Err(NoLease::Draining),
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
                    poll = (poll * 2).min(POLL_MAX);
                    self.wait_until(
                        Instant::now() + (sent.elapsed() * 10).clamp(GAP_MIN, POLL_MAX),
                    );
                    poll
                }
                Err(error) => {
                    fault = Some(error);
                    self.wait_until(Instant::now() + FAULT_PAUSE);
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
                    tokio::time::sleep(POLL_MAX).await;
                },
            }
        }
    }
}

/// Takes a slot for a service: first a share of what services may have.
async fn slot(worker: &Worker) -> Result<Slot, AcquireError> {
    Ok(Slot {
        _share: worker.service_slots.clone().acquire_owned().await?,
        _slot: worker.slots.clone().acquire_owned().await?,
    })
}

/// The time has passed: without work, or without an answer.
fn nothing(fault: Option<engine::Error>) -> Result<Option<Arc<Held>>, NoLease> {
    fault.map_or(Ok(None), |error| Err(NoLease::Unavailable(error)))
}

async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(tokio::time::Instant::from_std(at)).await;
}

/// Waits until the kinds are others; for ever, if they cannot change any more.
async fn changed(kinds: &mut watch::Receiver<Arc<[String]>>) {
    if kinds.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
