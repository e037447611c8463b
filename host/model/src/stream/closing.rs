//! Whether a stream is closed: when, and why. It follows from how the attempt ended, and
//! is stored nowhere else.

use time::OffsetDateTime;

use crate::wire::named;
use crate::{AttemptEnd, Outcome};

named! {
    /// Why a stream is closed.
    pub enum ClosedReason ("closed reason") {
        /// The attempt ended with a result.
        AttemptSuccess = "attempt_success",
        /// The attempt failed.
        AttemptFailure = "attempt_failure",
        /// The execution was cancelled.
        AttemptCancelled = "attempt_cancelled",
        /// The lease was revoked or released, or the execution was replayed.
        AttemptInterrupted = "attempt_interrupted",
        /// The lease expired.
        LeaseExpired = "lease_expired",
        /// The lease expired, and another worker took the execution over.
        Reclaimed = "reclaimed",
        /// A time limit of the attempt or the execution passed.
        Expired = "expired",
        /// The time limit of a suspension passed, and ended the execution.
        SuspensionTimeout = "suspension_timeout",
        /// The execution was skipped, since what it depends on failed.
        DependencyImpossible = "dependency_impossible",
    }
}

/// When and why a stream was closed. Nothing is appended to it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamClosed {
    /// When the attempt ended.
    pub at: OffsetDateTime,
    /// How the attempt ended, or its execution.
    pub reason: ClosedReason,
}

/// What is known of an attempt in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttemptFacts {
    /// Number of the attempt, from zero.
    pub attempt: u32,
    /// The attempt under the lease that is held; absent if none is.
    pub running: Option<u32>,
    /// How many attempts were begun that a next lease does not resume: its number is this
    /// one. Absent if the execution runs or is finished.
    pub next: Option<u32>,
    /// How the last lease of the attempt ended, and when.
    pub last_end: Option<(AttemptEnd, OffsetDateTime)>,
    /// How the execution ended, when, and how many attempts it had; absent unless it is
    /// finished.
    pub finished: Option<(Outcome, OffsetDateTime, u32)>,
    /// Whether the attempt's last suspension ended because its time limit passed and ended
    /// the execution.
    pub suspension_timed_out: bool,
}

impl AttemptFacts {
    /// Whether the execution ended without having made the attempt.
    pub fn never_made(&self) -> bool {
        self.finished
            .is_some_and(|(.., attempts)| self.attempt >= attempts)
    }

    /// Returns when and why the stream of the attempt was closed; `None` while it is open:
    /// the attempt runs, may resume, or was not begun.
    pub fn closed(&self) -> Option<StreamClosed> {
        if self.running == Some(self.attempt) {
            return None;
        }
        let ended = self.last_end.map(|(end, at)| (reason(end), at));
        if let Some((Some(reason), at)) = ended {
            return Some(StreamClosed { at, reason });
        }
        if let Some((outcome, at, attempts)) = self.finished
            && self.attempt.saturating_add(1) == attempts
        {
            let reason = match outcome {
                _ if self.suspension_timed_out => ClosedReason::SuspensionTimeout,
                Outcome::Success => ClosedReason::AttemptSuccess,
                Outcome::Failed => ClosedReason::AttemptFailure,
                Outcome::Cancelled => ClosedReason::AttemptCancelled,
                Outcome::Expired => ClosedReason::Expired,
                Outcome::Skipped => ClosedReason::DependencyImpossible,
            };
            return Some(StreamClosed { at, reason });
        }
        // It was suspended or delayed, and the execution has a later attempt: it was ended
        // meanwhile, and replayed.
        let (_, at) = self.last_end?;
        let later = [self.running, self.next, self.finished.map(|it| it.2 - 1)];
        let superseded = later.into_iter().flatten().any(|it| it > self.attempt);
        superseded.then_some(StreamClosed {
            at,
            reason: match self.suspension_timed_out {
                true => ClosedReason::SuspensionTimeout,
                false => ClosedReason::AttemptInterrupted,
            },
        })
    }
}

/// Returns why a lease that ended so closes the stream; `None` if its attempt may resume.
const fn reason(end: AttemptEnd) -> Option<ClosedReason> {
    Some(match end {
        AttemptEnd::Success => ClosedReason::AttemptSuccess,
        AttemptEnd::Failure => ClosedReason::AttemptFailure,
        AttemptEnd::Cancelled => ClosedReason::AttemptCancelled,
        AttemptEnd::Expired => ClosedReason::Expired,
        AttemptEnd::LeaseExpired => ClosedReason::LeaseExpired,
        AttemptEnd::LeaseRevoked | AttemptEnd::Released => ClosedReason::AttemptInterrupted,
        AttemptEnd::Delayed | AttemptEnd::WaitingChildren | AttemptEnd::Suspended => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: OffsetDateTime = time::macros::datetime!(2030-01-01 00:00 UTC);
    const LATER: OffsetDateTime = time::macros::datetime!(2030-01-02 00:00 UTC);

    fn closed(facts: AttemptFacts) -> Option<(ClosedReason, OffsetDateTime)> {
        facts.closed().map(|it| (it.reason, it.at))
    }

    #[test]
    fn an_attempt_that_runs_waits_or_was_not_begun_closes_nothing() {
        let nothing = AttemptFacts {
            attempt: 2,
            ..Default::default()
        };
        assert_eq!(closed(nothing), None);
        assert_eq!(
            closed(AttemptFacts {
                running: Some(1),
                ..nothing
            }),
            None
        );
        let resumed = AttemptFacts {
            running: Some(2),
            last_end: Some((AttemptEnd::Suspended, THEN)),
            ..nothing
        };
        assert_eq!(closed(resumed), None);
        for end in [
            AttemptEnd::Delayed,
            AttemptEnd::WaitingChildren,
            AttemptEnd::Suspended,
        ] {
            let waits = AttemptFacts {
                next: Some(2),
                last_end: Some((end, THEN)),
                ..nothing
            };
            assert_eq!(closed(waits), None, "{end}");
        }
    }

    #[test]
    fn the_end_of_the_last_lease_says_why() {
        for (end, why) in [
            (AttemptEnd::Success, ClosedReason::AttemptSuccess),
            (AttemptEnd::Failure, ClosedReason::AttemptFailure),
            (AttemptEnd::Cancelled, ClosedReason::AttemptCancelled),
            (AttemptEnd::Expired, ClosedReason::Expired),
            (AttemptEnd::LeaseExpired, ClosedReason::LeaseExpired),
            (AttemptEnd::LeaseRevoked, ClosedReason::AttemptInterrupted),
            (AttemptEnd::Released, ClosedReason::AttemptInterrupted),
        ] {
            let facts = AttemptFacts {
                attempt: 0,
                running: Some(1),
                last_end: Some((end, THEN)),
                // Cancelled later, while it waited for its retry.
                finished: Some((Outcome::Cancelled, LATER, 1)),
                ..Default::default()
            };
            assert_eq!(closed(facts), Some((why, THEN)), "{end}");
        }
    }

    #[test]
    fn what_ends_a_waiting_execution_closes_its_stream() {
        let waits = |outcome, suspension_timed_out| AttemptFacts {
            attempt: 1,
            last_end: Some((AttemptEnd::Suspended, THEN)),
            finished: Some((outcome, LATER, 2)),
            suspension_timed_out,
            ..Default::default()
        };
        for (outcome, timed_out, why) in [
            (Outcome::Cancelled, false, ClosedReason::AttemptCancelled),
            (Outcome::Expired, false, ClosedReason::Expired),
            (Outcome::Failed, true, ClosedReason::SuspensionTimeout),
            (Outcome::Cancelled, true, ClosedReason::SuspensionTimeout),
            (Outcome::Skipped, false, ClosedReason::DependencyImpossible),
        ] {
            assert_eq!(closed(waits(outcome, timed_out)), Some((why, LATER)));
        }
        // Replayed afterwards.
        let replayed = AttemptFacts {
            finished: None,
            next: Some(2),
            ..waits(Outcome::Cancelled, false)
        };
        let interrupted = ClosedReason::AttemptInterrupted;
        assert_eq!(closed(replayed), Some((interrupted, THEN)));
    }

    #[test]
    fn an_attempt_beyond_the_last_was_never_made() {
        let facts = |attempt| AttemptFacts {
            attempt,
            finished: Some((Outcome::Success, THEN, 1)),
            ..Default::default()
        };
        assert!(!facts(0).never_made());
        assert!(facts(1).never_made());
        assert!(
            !AttemptFacts {
                attempt: 9,
                ..Default::default()
            }
            .never_made()
        );
    }
}
