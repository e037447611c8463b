//! Records how an attempt ended, for as long as its lease lasts.
//!
//! A database that does not answer is asked again: every write carries the
//! fence and the same content, so a repeat of one that took effect succeeds.
//! After the lease nothing is written; the execution is taken up again.
//!
//! No outcome can be such that it is never stored: one that the engine refuses as
//! invalid, or the database again and again, becomes a failure that says so. An
//! attempt without a recorded end would be made up to the reclaim cap.

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
/// Faults of the engine, other than that the database is away, after which an
/// outcome is given up.
const FAULTS_MAX: u32 = 5;

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
        // Said before, now and then.
        Ended::NotOpened(_) => release(worker, attempt, &ending).await,
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
    let answer = insist(worker, attempt, || {
        worker.engine.complete(Complete {
            fence: ending.fence,
            result: result.clone(),
            report: ending.report.clone(),
        })
    })
    .await;
    match answer {
        Recording::Refused(LeaseRefusal::Invalid(invalid)) => {
            let failure = Failure::new(
                FailureClass::Permanent,
                "result_invalid",
                format!("the result cannot be stored: {invalid}"),
            );
            fail(worker, attempt, &ending, failure, false).await
        }
        Recording::Faulty => give_up(worker, attempt, &ending).await,
        answer => answer.refusal(),
    }
}

async fn fail(
    worker: &Worker,
    attempt: &Attempt,
    ending: &Ending,
    failure: Failure,
    timed_out: bool,
) -> Option<LeaseRefusal> {
    let class = failure.class;
    match insist_on_failure(worker, attempt, ending, failure, timed_out).await {
        Recording::Refused(LeaseRefusal::Invalid(invalid)) => {
            let failure = Failure::new(
                class,
                "failure_invalid",
                format!("the failure that was reported cannot be stored: {invalid}"),
            );
            let answer = insist_on_failure(worker, attempt, ending, failure, false).await;
            answer.refusal()
        }
        Recording::Faulty => give_up(worker, attempt, ending).await,
        answer => answer.refusal(),
    }
}

/// Records that an outcome could not be recorded, with nothing of the guest in it.
async fn give_up(worker: &Worker, attempt: &Attempt, ending: &Ending) -> Option<LeaseRefusal> {
    let plain = Ending {
        fence: ending.fence,
        report: Report {
            log: None,
            ..ending.report.clone()
        },
        known: ending.known.clone(),
    };
    let failure = Failure::new(
        FailureClass::InfraCrash,
        "host_fault",
        "the outcome could not be stored; the operator's log says why",
    );
    let answer = insist_on_failure(worker, attempt, &plain, failure, false).await;
    if matches!(answer, Recording::Faulty) {
        worker.counters.unrecorded.fetch_add(1, Ordering::Relaxed);
    }
    answer.refusal()
}

async fn insist_on_failure(
    worker: &Worker,
    attempt: &Attempt,
    ending: &Ending,
    failure: Failure,
    timed_out: bool,
) -> Recording {
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
    let answer = insist(worker, attempt, || {
        worker.engine.release(ending.fence, ending.report.clone())
    })
    .await;
    answer.refusal()
}

/// What came of asking.
enum Recording {
    Done,
    Refused(LeaseRefusal),
    /// The engine answers with faults, and will again.
    Faulty,
    /// The lease ended first.
    TooLate,
}

impl Recording {
    fn refusal(self) -> Option<LeaseRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Done | Self::Faulty | Self::TooLate => None,
        }
    }
}

/// Asks until the database has answered, the lease has ended, or the engine had
/// its chances: a fault may be that of another call in the same statement.
async fn insist<T, F>(worker: &Worker, attempt: &Attempt, mut ask: impl FnMut() -> F) -> Recording
where
    F: Future<Output = engine::Answer<T, LeaseRefusal>>,
{
    let mut pause = PAUSE_MIN;
    let mut faults = 0;
    loop {
        let error = match ask().await {
            Ok(Ok(_)) => return Recording::Done,
            Ok(Err(refusal)) => return Recording::Refused(refusal),
            Err(error) => error,
        };
        let id = attempt.fence.execution_id;
        if !error.is_unavailable() {
            faults += 1;
            tracing::error!(execution = %id, %error, faults, "the outcome could not be recorded");
            if faults >= FAULTS_MAX {
                return Recording::Faulty;
            }
        }
        if Instant::now() + pause >= attempt.lease_until() {
            worker.counters.unrecorded.fetch_add(1, Ordering::Relaxed);
            tracing::error!(execution = %id, %error, "the outcome could not be recorded; the execution is taken up again when its lease has lapsed");
            return Recording::TooLate;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
