//! Keeps the leases of one worker: renews them, asks whether they still hold,
//! and tells the guests whose lease is gone.
//!
//! Guests have no part in it, so one that never yields cannot keep its own
//! lease from being renewed, nor from being lost. When renewals fail nothing
//! is done here: the end of the lease stops the guest by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use model::{ExecutionId, Fence, LeaseRefusal, Limits};
use tokio::sync::broadcast::error::RecvError;

use crate::attempt::Attempt;
use crate::worker::Worker;

/// How often leases are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often leases are asked about.
const CHECK: Duration = Duration::from_secs(1);

/// Returns how much of a lease's life is used: what is left at the end makes
/// up for the time the answer to a claim or renewal took to be acted upon.
pub(crate) fn usable(ttl: Duration) -> Duration {
    let margin = (ttl / 10).clamp(Duration::from_millis(100), Duration::from_secs(2));
    ttl.saturating_sub(margin)
}

/// Keeps leases until the worker has ended.
pub(crate) async fn keep(worker: Arc<Worker>) {
    let mut lost = worker.engine.lost_leases();
    let mut lost_open = true;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut checked = Instant::now();
    while !worker.is_over() {
        tokio::select! {
            _ = look.tick() => {
                renew(&worker).await;
                if checked.elapsed() >= CHECK {
                    checked = Instant::now();
                    let older = worker.held(|attempt| attempt.elapsed_ms() >= 1000);
                    check(&worker, older).await;
                }
            }
            hint = lost.recv(), if lost_open => match hint {
                Ok(id) => check(&worker, of_execution(&worker, id)).await,
                // What was missed is found by the next regular look.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => lost_open = false,
            },
        }
    }
}

fn of_execution(worker: &Worker, id: ExecutionId) -> Vec<Arc<Attempt>> {
    worker.held(|attempt| attempt.fence.execution_id == id)
}

/// Renews what is past half its life.
async fn renew(worker: &Worker) {
    let ttl_ms = worker.settings.lease_ttl_ms;
    let ttl = Duration::from_millis(u64::from(ttl_ms));
    let now = Instant::now();
    let due = worker.held(|attempt| {
        !attempt.is_stopping() && attempt.lease_until().saturating_duration_since(now) < ttl / 2
    });
    for batch in due.chunks(Limits::BATCH_MAX) {
        let fences: Vec<Fence> = batch.iter().map(|attempt| attempt.fence).collect();
        let sent = Instant::now();
        match worker.engine.renew(&fences, ttl_ms).await {
            Ok(verdicts) => {
                for (attempt, verdict) in batch.iter().zip(verdicts) {
                    match verdict {
                        Ok(_expires_at) => {
                            attempt.renewed(sent, usable(ttl));
                            worker.counters.renewed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(refusal) => lost(attempt, &refusal),
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, leases = batch.len(), "leases could not be renewed; guests stop when theirs ends");
            }
        }
    }
}

/// Asks whether leases still hold.
async fn check(worker: &Worker, attempts: Vec<Arc<Attempt>>) {
    for batch in attempts.chunks(Limits::BATCH_MAX) {
        let fences: Vec<Fence> = batch.iter().map(|attempt| attempt.fence).collect();
        match worker.engine.check(&fences).await {
            Ok(verdicts) => {
                for (attempt, verdict) in batch.iter().zip(verdicts) {
                    if let Err(refusal) = verdict {
                        lost(attempt, &refusal);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "leases could not be asked about"),
        }
    }
}

fn lost(attempt: &Attempt, refusal: &LeaseRefusal) {
    if !attempt.is_recorded() {
        tracing::info!(execution = %attempt.fence.execution_id, epoch = attempt.fence.epoch, %refusal, "lease lost");
        attempt.refused(refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_every_lease_is_left_unused() {
        let usable_ms = |ms| usable(Duration::from_millis(ms)).as_millis();
        assert_eq!(usable_ms(30_000), 28_000);
        assert_eq!(usable_ms(10_000), 9_000);
        assert_eq!(usable_ms(1_000), 900);
    }
}
