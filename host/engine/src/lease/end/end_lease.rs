//! Every way a lease ends: what the statement is given for each.

use model::{
    AttemptEnd, AttemptType, BlockingReason, CancelSource, EngineCode, EventKind, ExecutionPolicy,
    Failure, Fence, Outcome, Retry, StateKind,
};

use crate::checks::Payload;
use crate::lease::{Due, Report};
use crate::operate::Operation;
use crate::{Engine, Error, random};

/// What must hold of a lease besides its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseGuard {
    /// It has not expired: a write of its holder.
    Held,
    /// It has expired: the sweep ends it.
    Expired,
    /// Its attempt has run longer than the policy allows.
    Overdue,
    /// Nothing: its holder was not asked.
    Any,
}

impl LeaseGuard {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Overdue => "overdue",
            Self::Any => "any",
        }
    }
}

/// The state of an execution after its lease.
#[derive(Debug, Clone)]
pub(crate) enum NextState {
    Finished {
        outcome: Outcome,
        result: Option<Payload>,
        source: Option<CancelSource>,
    },
    /// In the queue, for an attempt of type `reclaim`.
    Ready { reclaims_add: u32 },
    /// In the queue, for the same attempt.
    Resumes,
    /// Out of the queue, until a time if there is one.
    Parked {
        state: StateKind,
        reason: BlockingReason,
        due: Option<Due>,
        /// The type of the next attempt; absent: this attempt resumes. One that retries
        /// is counted.
        next_type: Option<AttemptType>,
    },
}

impl NextState {
    const fn finished(
        outcome: Outcome,
        result: Option<Payload>,
        source: Option<CancelSource>,
    ) -> Self {
        Self::Finished {
            outcome,
            result,
            source,
        }
    }

    /// Parked until the same attempt resumes.
    const fn delayed(due: Due) -> Self {
        Self::Parked {
            state: StateKind::Delayed,
            reason: BlockingReason::WaitingForDelay,
            due: Some(due),
            next_type: None,
        }
    }
}

/// One lease that is to end.
#[derive(Debug)]
pub(crate) struct EndLease {
    pub(crate) fence: Fence,
    pub(crate) guard: LeaseGuard,
    pub(crate) ended: AttemptEnd,
    pub(crate) next: NextState,
    pub(crate) failure: Option<Failure>,
    pub(crate) report: Report,
    pub(crate) event: EventKind,
    /// The operator who asked, if it was not the holder.
    pub(crate) operation: Option<Operation>,
}

impl Engine {
    /// Ends leases; returns how many. A refusal means that another ended the lease first.
    pub(crate) async fn end_leases(&self, calls: Vec<EndLease>) -> Result<u64, Error> {
        let mut ended = 0;
        for verdict in self.inner.batchers.end_lease.call_all(calls).await {
            ended += u64::from(verdict?.is_ok());
        }
        Ok(ended)
    }
}

impl EndLease {
    /// The holder has a result.
    pub(crate) fn completed(fence: Fence, result: Payload, report: Report) -> Self {
        let next = NextState::finished(Outcome::Success, Some(result), None);
        Self::by_holder(fence, AttemptEnd::Success, next, EventKind::Success, report)
    }

    /// The holder ends its execution as cancelled.
    pub(crate) fn cancelled(fence: Fence, reason: String, report: Report) -> Self {
        let source = Some(CancelSource::LeaseHolder);
        let next = NextState::finished(Outcome::Cancelled, None, source);
        Self {
            failure: Some(Failure::by_engine(EngineCode::Cancelled, reason)),
            ..Self::by_holder(
                fence,
                AttemptEnd::Cancelled,
                next,
                EventKind::Cancelled,
                report,
            )
        }
    }

    /// The same attempt resumes after a time.
    pub(crate) fn delayed(fence: Fence, due: Due, report: Report) -> Self {
        let next = NextState::delayed(due);
        Self::by_holder(fence, AttemptEnd::Delayed, next, EventKind::Delayed, report)
    }

    /// The same attempt resumes at once: there is no child that it would wait for.
    pub(crate) fn waited_for_nothing(fence: Fence, report: Report) -> Self {
        let (ended, event) = (AttemptEnd::WaitingChildren, EventKind::WaitingChildren);
        Self::by_holder(fence, ended, NextState::Resumes, event, report)
    }

    /// The holder returns the execution to the queue; nothing is charged to its policy.
    pub(crate) fn returned(fence: Fence, report: Report) -> Self {
        let next = NextState::Ready { reclaims_add: 0 };
        Self::by_holder(
            fence,
            AttemptEnd::Released,
            next,
            EventKind::Released,
            report,
        )
    }

    /// The attempt failed, or ran longer than its policy allows: a retry, or the end of
    /// the execution, which has failed or expired.
    ///
    /// The frozen policy and the number of retries so far decide. Their decision cannot
    /// change while the fence holds, so it is made before the statement.
    pub(crate) fn failed(
        fence: Fence,
        failure: Failure,
        timed_out: bool,
        report: Report,
        policy: &ExecutionPolicy,
        retries: u32,
    ) -> Self {
        let (ended, outcome, event) = match timed_out {
            true => (
                AttemptEnd::Expired,
                Outcome::Expired,
                EventKind::ExecutionExpired,
            ),
            false => (AttemptEnd::Failure, Outcome::Failed, EventKind::Failed),
        };
        let retry = &policy.retry_policy;
        let (next, event) = match retry.decide(failure.class, retries, random::unit()) {
            Retry::After(delay_ms) => {
                let next = NextState::Parked {
                    state: StateKind::Delayed,
                    reason: BlockingReason::WaitingForRetryBackoff,
                    due: Some(Due::InMs(delay_ms)),
                    next_type: Some(AttemptType::Retry),
                };
                (next, EventKind::RetryScheduled)
            }
            Retry::NotRetryable | Retry::Exhausted => {
                (NextState::finished(outcome, None, None), event)
            }
        };
        Self {
            failure: Some(failure),
            ..Self::by_holder(fence, ended, next, event, report)
        }
    }

    /// The same end, found by the sweep because the holder did not stop the attempt.
    pub(crate) fn overdue(self) -> Self {
        Self {
            guard: LeaseGuard::Overdue,
            ..self
        }
    }

    /// The lease expired without a renewal.
    pub(crate) fn expired(fence: Fence, at_cap: bool) -> Self {
        Self {
            guard: LeaseGuard::Expired,
            ..Self::lost(
                fence,
                (AttemptEnd::LeaseExpired, EngineCode::LeaseExpired),
                (CancelSource::SystemTimeout, EventKind::Expired),
                "the lease expired: its host died or was cut off",
                at_cap,
            )
        }
    }

    /// An operator takes the lease away, or its worker was marked dead.
    pub(crate) fn revoked(fence: Fence, why: &str, at_cap: bool) -> Self {
        Self::lost(
            fence,
            (AttemptEnd::LeaseRevoked, EngineCode::LeaseRevoked),
            (CancelSource::OperatorOverride, EventKind::Revoked),
            why,
            at_cap,
        )
    }

    /// Whether the holder did not ask for the end: the epoch grows, and it is notified.
    pub(super) fn is_involuntary(&self) -> bool {
        self.guard != LeaseGuard::Held
    }

    /// The same end, asked for by an operator and not by the holder.
    pub(crate) fn by_operator(self, operation: Operation) -> Self {
        Self {
            guard: LeaseGuard::Any,
            operation: Some(operation),
            ..self
        }
    }

    const fn by_holder(
        fence: Fence,
        ended: AttemptEnd,
        next: NextState,
        event: EventKind,
        report: Report,
    ) -> Self {
        Self {
            fence,
            guard: LeaseGuard::Held,
            ended,
            next,
            failure: None,
            report,
            event,
            operation: None,
        }
    }

    /// The lease ends without its holder's consent: another attempt, of type `reclaim`,
    /// or a failed execution. Such ends count, so that an execution that kills its host
    /// ends at its reclaim cap.
    fn lost(
        fence: Fence,
        (ended, code): (AttemptEnd, EngineCode),
        (source, event): (CancelSource, EventKind),
        why: &str,
        at_cap: bool,
    ) -> Self {
        let (next, failure, event) = if at_cap {
            let next = NextState::finished(Outcome::Failed, None, Some(source));
            let message = format!("{why}, more often than the policy allows");
            let failure = Failure::by_engine(EngineCode::MaxReclaimsExceeded, message);
            (next, failure, EventKind::Failed)
        } else {
            let next = NextState::Ready { reclaims_add: 1 };
            (next, Failure::by_engine(code, why), event)
        };
        Self {
            guard: LeaseGuard::Any,
            failure: Some(failure),
            ..Self::by_holder(fence, ended, next, event, Report::default())
        }
    }
}
