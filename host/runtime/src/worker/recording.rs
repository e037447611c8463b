//! Records how an attempt ended, for as long as its lease lasts.
//!
//! A database that does not answer is asked again: every write carries the
//! fence and the same content, so a repeat of one that took effect succeeds.
//! After the lease nothing is written; the execution is taken up again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use engine::{Complete, Fail, Payload, Report};
use model::{ExecutionPolicy, Failure, FailureClass, Fence, LeaseRefusal};

use super::Worker;
use crate::attempt::{Attempt, Stop};
use crate::verdict::Ended;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What is recorded along with an outcome.
pub(super) struct Ending {
    pub(super) fence: Fence,
    pub(super) report: Report,
    pub(super) known: Option<(Arc<ExecutionPolicy>, u32)>,
}

/// Records an outcome, or gives the lease back.
pub(super) async fn record(worker: &Worker, attempt: &Attempt, ending: Ending, ended: Ended) {
    let id = ending.fence.execution_id;
    let refused = match ended {
        Ended::Completed(result) => complete(worker, attempt, ending, result).await,
        Ended::Failed(failure) => fail(worker, attempt, &ending, failure, false).await,
        Ended::TimedOut(failure) => fail(worker, attempt, &ending, failure, true).await,
        Ended::Recorded => None,
        Ended::NotOpened(why) => {
            tracing::warn!(execution = %id, why, "no sandbox was opened; the lease is given back");
            release(worker, attempt, &ending).await
        }
        // Stopped by the end of the worker, not by the loss of the lease.
        Ended::Abandoned(Stop::LeaseLost) if worker.is_given_up() => {
            release(worker, attempt, &ending).await
        }
        Ended::Abandoned(stop) => {
            tracing::info!(execution = %id, why = %stop, "attempt abandoned");
            None
        }
    };
    if let Some(refusal) = refused {
        tracing::info!(execution = %id, %refusal, "the outcome was not recorded");
    }
}

async fn complete(
    worker: &Worker,
    attempt: &Attempt,
    ending: Ending,
    result: Payload,
) -> Option<LeaseRefusal> {
    let refusal = insist(worker, attempt, || {
        worker.engine.complete(Complete {
            fence: ending.fence,
            result: result.clone(),
            report: ending.report.clone(),
        })
    })
    .await?;
    let LeaseRefusal::Invalid(invalid) = refusal else {
        return Some(refusal);
    };
    let failure = Failure::new(
        FailureClass::Permanent,
        "result_invalid",
        format!("the result cannot be stored: {invalid}"),
    );
    fail(worker, attempt, &ending, failure, false).await
}

async fn fail(
    worker: &Worker,
    attempt: &Attempt,
    ending: &Ending,
    failure: Failure,
    timed_out: bool,
) -> Option<LeaseRefusal> {
    insist(worker, attempt, || {
        worker.engine.fail(Fail {
            fence: ending.fence,
            failure: failure.clone(),
            timed_out,
            report: ending.report.clone(),
            known: ending.known.clone(),
        })
    })
    .await
}

/// Gives a lease back whose holder did not end it.
pub(super) async fn give_back(worker: &Worker, attempt: &Attempt, ending: &Ending) {
    if let Some(refusal) = release(worker, attempt, ending).await {
        let id = ending.fence.execution_id;
        tracing::info!(execution = %id, %refusal, "the lease was not given back");
    }
}

async fn release(worker: &Worker, attempt: &Attempt, ending: &Ending) -> Option<LeaseRefusal> {
    insist(worker, attempt, || {
        worker.engine.release(ending.fence, ending.report.clone())
    })
    .await
}

/// Asks until the database has answered or the lease has ended; returns the
/// refusal, if it is one.
async fn insist<T, F>(
    worker: &Worker,
    attempt: &Attempt,
    mut ask: impl FnMut() -> F,
) -> Option<LeaseRefusal>
where
    F: Future<Output = engine::Answer<T, LeaseRefusal>>,
{
    let mut pause = PAUSE_MIN;
    loop {
        let error = match ask().await {
            Ok(Ok(_)) => return None,
            Ok(Err(refusal)) => return Some(refusal),
            Err(error) => error,
        };
        if !error.is_unavailable() || Instant::now() + pause >= attempt.lease_until() {
            worker.counters.unrecorded.fetch_add(1, Ordering::Relaxed);
            tracing::error!(execution = %attempt.fence.execution_id, %error, "the outcome could not be recorded; the execution is taken up again when its lease has lapsed");
            return None;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
