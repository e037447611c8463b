//! Keeps the leases of one worker: renews them, asks whether they still hold,
//! and tells the guests whose lease is gone.
//!
//! Guests have no part in it, so one that never yields cannot keep its own
//! lease from being renewed, nor from being lost. When renewals fail nothing
//! is done here: the end of the lease stops the guest by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{ExecutionId, Fence, LeaseRefusal, Limits};
use tokio::sync::broadcast::error::RecvError;

use super::Worker;
use crate::attempt::Attempt;

/// How often the keeper looks for leases to renew.
const RENEW_EVERY: Duration = Duration::from_millis(200);
/// How often the keeper asks whether leases still hold.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Keeps leases until the worker has ended.
pub(super) async fn keep(worker: Arc<Worker>) {
    let mut lost = worker.engine.lost_leases();
    let mut lost_open = true;
    let mut renewal = tokio::time::interval(RENEW_EVERY);
    renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut checked = Instant::now();
    while !worker.is_closed() {
        tokio::select! {
            _ = renewal.tick() => {
                renew(&worker).await;
                if checked.elapsed() >= CHECK_EVERY {
                    checked = Instant::now();
                    let older = worker.held(|attempt| attempt.elapsed_ms() >= 1000);
                    check(&worker, older).await;
                }
            }
            hint = lost.recv(), if lost_open => match hint {
                Ok(id) => check(&worker, of_execution(&worker, id)).await,
                // Hints that were missed are made up for by the next regular check.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => lost_open = false,
            },
        }
    }
}

fn of_execution(worker: &Worker, id: ExecutionId) -> Vec<Arc<Attempt>> {
    worker.held(|attempt| attempt.fence.execution_id == id)
}

/// Renews the leases that have less than half of their TTL left.
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
                            attempt.renewed(sent, ttl);
                            worker.counters.renewed.inc();
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
            Err(error) => tracing::debug!(%error, "leases could not be checked"),
        }
    }
}

fn lost(attempt: &Attempt, refusal: &LeaseRefusal) {
    if !attempt.is_recorded() {
        tracing::info!(execution = %attempt.fence.execution_id, epoch = attempt.fence.epoch, %refusal, "lease lost");
        attempt.refused(refusal);
    }
}
