//! Records how an attempt ended, for as long as its lease lasts.
//!
//! A database that does not answer is asked again: every write carries the
//! fence and the same content, so a repeat of one that took effect succeeds.
//! After the lease nothing is written; the execution is reclaimed.
//!
//! Every outcome can be stored: one that the engine refuses as invalid, or the database
//! refuses repeatedly, becomes a failure that says so. An attempt without a recorded end
//! would be repeated up to the reclaim cap.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use engine::{Complete, Declined, Fail, Payload, Report, pauses};
use model::{Failure, FailureClass, LeaseRefusal};

use super::Worker;
use crate::attempt::Stop;
use crate::host::HeldLease;
use crate::sandbox::AttemptEnd;

const PAUSE_MAX: Duration = Duration::from_secs(1);
const PAUSES: ExponentialBuilder = pauses(Duration::from_millis(50), PAUSE_MAX);
/// Faults of the engine, other than an unavailable database, after which an
/// outcome is replaced.
const FAULTS_MAX: u32 = 5;

/// Records an outcome; without one, returns the lease or abandons it.
pub(crate) async fn record(worker: &Worker, held: &HeldLease, report: Report, end: AttemptEnd) {
    let mut recorder = Recorder {
        worker,
        held,
        report,
    };
    let id = held.attempt.fence.execution_id;
    let refused = match end {
        AttemptEnd::Completed(result) => recorder.complete(result).await,
        AttemptEnd::Failed(failure) => recorder.fail(failure, false).await,
        AttemptEnd::TimedOut(failure) => recorder.fail(failure, true).await,
        AttemptEnd::Recorded => None,
        // The log has said why, as often as it may.
        AttemptEnd::NotOpened(_) => recorder.release().await,
        // Stopped because the worker ends, not because the lease was lost.
        AttemptEnd::Abandoned(Stop::LeaseLost) if worker.is_forced_to_stop() => {
            recorder.release().await
        }
        AttemptEnd::Abandoned(stop) => {
            tracing::info!(execution = %id, why = %stop, "attempt abandoned");
            None
        }
    };
    if let Some(refusal) = refused {
        tracing::info!(execution = %id, %refusal, "the outcome was not recorded");
    }
}

/// Returns a lease whose holder did not end it.
pub(crate) async fn return_lease(worker: &Worker, held: &HeldLease, report: Report) {
    let recorder = Recorder {
        worker,
        held,
        report,
    };
    if let Some(refusal) = recorder.release().await {
        let id = held.attempt.fence.execution_id;
        tracing::info!(execution = %id, %refusal, "the lease was not returned");
    }
}

struct Recorder<'a> {
    worker: &'a Worker,
    held: &'a HeldLease,
    report: Report,
}

/// How writing an outcome ended.
enum Written {
    Accepted,
    Refused(LeaseRefusal),
    /// The engine answers with faults, and is expected to continue.
    Faulty,
    /// The lease ended first.
    TooLate,
}

impl Written {
    fn refusal(self) -> Option<LeaseRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Accepted | Self::Faulty | Self::TooLate => None,
        }
    }
}

impl Recorder<'_> {
    async fn complete(&mut self, result: Payload) -> Option<LeaseRefusal> {
        let written = self.write(|| {
            self.worker.engine.complete(Complete {
                fence: self.held.attempt.fence,
                result: result.clone(),
                report: self.report.clone(),
            })
        });
        match written.await {
            Written::Refused(LeaseRefusal::Invalid(invalid)) => {
                let failure = Failure::new(
                    FailureClass::Permanent,
                    "result_invalid",
                    format!("the result cannot be stored: {invalid}"),
                );
                self.fail(failure, false).await
            }
            Written::Faulty => self.fail_without_details().await,
            written => written.refusal(),
        }
    }

    async fn fail(&mut self, failure: Failure, timed_out: bool) -> Option<LeaseRefusal> {
        let class = failure.class;
        match self.write_failure(failure, timed_out).await {
            Written::Refused(LeaseRefusal::Invalid(invalid)) => {
                let failure = Failure::new(
                    class,
                    "failure_invalid",
                    format!("the failure that was reported cannot be stored: {invalid}"),
                );
                self.write_failure(failure, false).await.refusal()
            }
            Written::Faulty => self.fail_without_details().await,
            written => written.refusal(),
        }
    }

    /// Records that an outcome could not be recorded, with nothing of the guest in it.
    async fn fail_without_details(&mut self) -> Option<LeaseRefusal> {
        self.report.log = None;
        let failure = Failure::new(
            FailureClass::InfraCrash,
            "host_fault",
            "the outcome could not be stored; the operator's log says why",
        );
        let written = self.write_failure(failure, false).await;
        if matches!(written, Written::Faulty) {
            self.worker.counters.unrecorded.inc();
        }
        written.refusal()
    }

    async fn write_failure(&self, failure: Failure, timed_out: bool) -> Written {
        self.write(|| {
            self.worker.engine.fail(Fail {
                fence: self.held.attempt.fence,
                failure: failure.clone(),
                timed_out,
                report: self.report.clone(),
                known: self.held.known.clone(),
            })
        })
        .await
    }

    async fn release(&self) -> Option<LeaseRefusal> {
        let engine = &self.worker.engine;
        let fence = self.held.attempt.fence;
        self.write(|| engine.release(fence, self.report.clone()))
            .await
            .refusal()
    }

    /// Writes until the database has answered, the lease has ended, or there were too
    /// many faults: one may be that of another call in the same statement.
    async fn write<T, F>(&self, mut write: impl FnMut() -> F) -> Written
    where
        F: Future<Output = Result<T, Declined<LeaseRefusal>>>,
    {
        let attempt = &self.held.attempt;
        let id = attempt.fence.execution_id;
        let mut pauses = PAUSES.build();
        let mut faults = 0;
        loop {
            let error = match write().await {
                Ok(_) => return Written::Accepted,
                Err(Declined::Refused(refusal)) => return Written::Refused(refusal),
                Err(Declined::Fault(error)) => error,
            };
            if !error.is_unavailable() {
                faults += 1;
                tracing::error!(execution = %id, %error, faults, "the outcome could not be recorded");
                if faults >= FAULTS_MAX {
                    return Written::Faulty;
                }
            }
            let pause = pauses.next().unwrap_or(PAUSE_MAX);
            if Instant::now() + pause >= attempt.lease_until() {
                self.worker.counters.unrecorded.inc();
                tracing::error!(execution = %id, %error, "the outcome could not be recorded; the execution is reclaimed when its lease has expired");
                return Written::TooLate;
            }
            tokio::time::sleep(pause).await;
        }
    }
}
