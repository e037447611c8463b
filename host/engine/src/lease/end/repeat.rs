//! Repeats of an end: a call whose lease has ended is answered as the first one was, if
//! it is the same call.

use model::{AttemptEnd, CancelSource, LeaseRefusal};

use super::end_lease::{EndLease, NextState};
use super::statement::EndLeaseVerdict;
use crate::lease::observe::OwnEnd;
use crate::lease::{Due, Observation};

impl EndLease {
    /// Answers a call that ended nothing. `retried` tells that an earlier try of this
    /// very call may have been applied.
    pub(super) fn answer_miss(
        &self,
        observation: Option<&Observation>,
        retried: bool,
    ) -> EndLeaseVerdict {
        let observation = observation.ok_or(LeaseRefusal::ExecutionNotFound)?;
        match &observation.own_end {
            Some(own) if self.brought_about(own, retried) => Ok(own.due_at),
            _ => Err(observation.observed.refusal(&self.fence)),
        }
    }

    /// Whether this call, made before, would have ended the lease as it ended. What the
    /// engine decided then, such as whether there is a retry, is not compared but
    /// answered.
    pub(crate) fn brought_about(&self, own: &OwnEnd, retried: bool) -> bool {
        let same_failure = || match (&self.failure, &own.failure) {
            (Some(failure), Some(own)) => failure.says_the_same(own),
            (failure, own) => failure.is_none() && own.is_none(),
        };
        own.ended == self.ended
            && match self.ended {
                AttemptEnd::Success => match &self.next {
                    NextState::Finished {
                        result: Some(result),
                        ..
                    } => own.result_digest.as_deref() == Some(&result.digest()),
                    _ => false,
                },
                AttemptEnd::Failure => same_failure(),
                AttemptEnd::Cancelled => {
                    let holder = CancelSource::LeaseHolder;
                    same_failure() && own.source.as_ref().is_none_or(|it| it == holder.as_str())
                }
                AttemptEnd::Delayed => match (&self.next, own.due_at) {
                    (NextState::Parked { due: Some(due), .. }, Some(due_at)) => match due {
                        Due::InMs(ms) => {
                            (due_at - own.released_at).whole_milliseconds() == i128::from(*ms)
                        }
                        // The database keeps microseconds.
                        Due::At(at) => (due_at - at.utc()).whole_microseconds() == 0,
                    },
                    // Written by a host of a version that did not keep it.
                    _ => true,
                },
                // They say nothing that could differ, or the engine found out by itself.
                AttemptEnd::Released | AttemptEnd::WaitingChildren | AttemptEnd::Expired => true,
                // No holder asks for these.
                AttemptEnd::LeaseExpired | AttemptEnd::LeaseRevoked => retried,
                AttemptEnd::Suspended => false,
            }
    }
}
