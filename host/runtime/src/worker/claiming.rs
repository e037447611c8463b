//! Claims executions in batches for the slots that are free.
//!
//! One claim is in flight at a time. A claim that comes back full is followed
//! by another at once; otherwise the worker waits until it is told that work is
//! ready, or asks again after 25 ms to 1 s. Meanwhile it stands by: what is
//! created or resumed on this host comes without a claim. Under load slots free up one by
//! one, so a claim waits a moment for some more of them: the cost of a claim
//! hardly depends on how much it brings. Of kinds whose sandboxes wait for room nothing
//! is claimed, and never much more than there is room for.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use engine::{Claim, Standby};
use model::Limits;
use tokio::sync::OwnedSemaphorePermit;

use super::Worker;

pub(super) const POLL_MIN: Duration = Duration::from_millis(25);
pub(super) const POLL_MAX: Duration = Duration::from_secs(1);
/// How long a claim waits for more slots.
const GATHER: Duration = Duration::from_millis(2);
/// Executions claimed although they will have to wait for room.
const WAITING_MAX: usize = 4;
pub(super) const FAULT_PAUSE: Duration = Duration::from_millis(500);

/// Claims until the worker drains.
pub(super) async fn claim(worker: Arc<Worker>) {
    let mut ready = worker.engine.ready_signal();
    let mut poll = POLL_MIN;
    let mut jitter = Jitter::new(&worker.settings.instance_id);
    let standby = worker.standby.get_or_init(|| stand_by(&worker));
    while let Some(mut slots) = gather(&worker).await {
        // Work announced from here on is not missed while the claim runs.
        ready.borrow_and_update();
        let max = slots.num_permits().min(Limits::BATCH_MAX);
        let pause = match claim_batch(&worker, max).await {
            Ok((sent, claimed)) => {
                let found = claimed.len();
                for claimed in claimed {
                    let Some(slot) = slots.split(1) else { break };
                    super::attempting::begin(&worker, claimed, sent, slot);
                }
                if found == max {
                    standby.close();
                    poll = POLL_MIN;
                    continue;
                }
                worker.stand_by();
                poll = if found > 0 {
                    POLL_MIN
                } else {
                    (poll * 2).min(POLL_MAX)
                };
                poll
            }
            Err(pause) => {
                standby.close();
                pause
            }
        };
        drop(slots);
        tokio::select! {
            () = tokio::time::sleep(jitter.around(pause)) => {}
            () = worker.stirred.notified() => {}
            changed = ready.changed() => if changed.is_err() {
                // The engine is closing: nothing will be announced any more.
                tokio::time::sleep(POLL_MAX).await;
            },
        }
    }
    standby.close();
    worker.end_if_done();
}

/// Has attempts begin that need no claim.
fn stand_by(worker: &Arc<Worker>) -> Standby {
    let worker_itself = Arc::downgrade(worker);
    let begin = move |claimed, sent, slot| {
        if let Some(worker) = worker_itself.upgrade() {
            super::attempting::begin(&worker, claimed, sent, slot);
        }
    };
    worker
        .engine
        .stand_by(worker.slots.clone(), Box::new(begin))
}

/// Takes what slots are free, waiting for the first one. `None` once the worker
/// drains.
async fn gather(worker: &Worker) -> Option<OwnedSemaphorePermit> {
    let mut slots = loop {
        if worker.is_draining() {
            return None;
        }
        // Told of what changes from here on.
        let cleared = worker.room().cleared();
        tokio::pin!(cleared);
        cleared.as_mut().enable();
        let for_more = worker.room().for_more();
        if worker.routes().claimable_for(for_more).is_empty() {
            tokio::select! {
                () = cleared => {}
                () = worker.stirred.notified() => {}
            }
        } else {
            tokio::select! {
                slot = worker.slots.clone().acquire_owned() => break slot.ok()?,
                () = worker.stirred.notified() => {}
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
        .min(worker.room().openings() + WAITING_MAX);
    if more > 0
        && let Ok(more) = u32::try_from(more)
        && let Ok(others) = worker.slots.clone().try_acquire_many_owned(more)
    {
        slots.merge(others);
    }
    (!worker.is_draining()).then_some(slots)
}

/// Sends one claim. A fault is reported and answered with a pause.
async fn claim_batch(
    worker: &Worker,
    max: usize,
) -> Result<(Instant, Vec<engine::Claimed>), Duration> {
    let claim = wanted(worker, max);
    let sent = Instant::now();
    match ask(worker, claim).await {
        Ok(claimed) => Ok((sent, claimed)),
        Err(_reported) => Err(FAULT_PAUSE),
    }
}

/// Sends a claim, counts it, and reports a fault.
pub(super) async fn ask(
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

fn wanted(worker: &Worker, max: usize) -> Claim {
    claim_of(worker, worker.claimable(), max)
}

impl Worker {
    /// Returns the kinds that are claimed for handlers now.
    fn claimable(&self) -> Vec<String> {
        let room = self.room().for_more();
        self.routes().claimable_for(room).to_vec()
    }

    /// Has what is created or resumed for the kinds claimed now handed over without
    /// a claim.
    fn stand_by(&self) {
        // Locked, so that a change of routes does not come in between: what was
        // routed away is not stood by for.
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(standby) = self.standby.get() {
            let kinds = routes.claimable_for(self.room().for_more());
            if kinds.is_empty() {
                standby.close();
            } else {
                standby.open(claim_of(self, kinds.to_vec(), 0));
            }
        }
    }
}

/// Builds a claim of `kinds` as this worker makes it.
pub(super) fn claim_of(worker: &Worker, kinds: Vec<String>, max: usize) -> Claim {
    Claim {
        worker_instance_id: worker.settings.instance_id.clone(),
        lanes: worker.settings.lanes.clone(),
        kinds: Some(kinds),
        capabilities: worker.settings.capabilities.clone(),
        max: u32::try_from(max).unwrap_or(u32::MAX),
        lease_ttl_ms: worker.settings.lease_ttl_ms,
    }
}

/// Spreads the polls of workers that started together.
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(instance_id: &str) -> Self {
        let seed = instance_id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self(seed | 1)
    }

    /// Returns between three and five quarters of `pause`.
    pub(super) fn around(&mut self, pause: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        pause.mul_f64(0.75 + (self.0 % 1000) as f64 / 2000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_spread_around_their_pause() {
        let mut jitter = Jitter::new("worker-1");
        let pauses: Vec<_> = (0..100)
            .map(|_| jitter.around(POLL_MAX).as_millis())
            .collect();
        assert!(
            pauses.iter().all(|ms| (750..1250).contains(ms)),
            "{pauses:?}"
        );
        assert!(pauses.iter().any(|ms| *ms < 900) && pauses.iter().any(|ms| *ms > 1100));
    }
}
