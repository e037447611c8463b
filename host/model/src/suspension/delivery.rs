//! What a signal does to an execution, decided on everything that execution
//! waits for.
//!
//! [`Inbox`] is what was read; each delivery is decided on it and changes it, so
//! that many signals can be decided one after the other and be written together.

use std::collections::HashSet;

use crate::{
    Evaluation, Outcome, ResumeCondition, ResumePolicy, SignalEffect, SignalFact, SignalId,
    SignalRefusal, SuspensionCloseReason, SuspensionId, WaitpointCloseReason, WaitpointId,
    WaitpointState, effect, evaluate,
};

/// What an execution waits for, and what it has heard.
#[derive(Debug, Clone)]
pub struct Inbox {
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// What it is suspended on, if it is.
    pub waiting: Option<Waiting>,
    /// Its open waitpoints, and others that somebody asks for.
    pub waitpoints: Vec<InboxWaitpoint>,
    /// Signals it accepted.
    pub accepted: u32,
    /// How many it may accept.
    pub accepted_max: u32,
}

/// A waitpoint as a delivery sees it.
#[derive(Debug, Clone)]
pub struct InboxWaitpoint {
    /// The waitpoint.
    pub id: WaitpointId,
    /// Its key.
    pub key: String,
    /// Whether it takes signals. An active one is of the present suspension.
    pub state: WaitpointState,
    /// Why it takes none.
    pub close_reason: Option<WaitpointCloseReason>,
}

/// A suspension that is open.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The suspension.
    pub suspension_id: SuspensionId,
    /// What it waits for.
    pub condition: ResumeCondition,
    /// What happens then.
    pub policy: ResumePolicy,
    /// What came to its waitpoints and still counts, in the order it was
    /// accepted.
    pub heard: Vec<Heard>,
    /// How it ended, if it did.
    pub closing: Option<Closing>,
}

/// A signal as a condition sees it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Where it came to.
    pub waitpoint_id: WaitpointId,
    /// The signal.
    pub signal_id: SignalId,
    /// Its name.
    pub name: String,
    /// What sort of thing sent it.
    pub source_type: String,
    /// Which one of that sort.
    pub source_identity: String,
}

/// How a suspension ended, and what that leaves for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Why.
    pub reason: SuspensionCloseReason,
    /// The signals that satisfied it, in the order they were accepted.
    pub satisfiers: Vec<SignalId>,
    /// Signals that count no more, where waitpoints stay open.
    pub spent: Vec<SignalId>,
}

impl Inbox {
    /// Decides what a signal does that is no duplicate, and notes it.
    ///
    /// # Errors
    /// Nothing was noted: the execution is finished, has no such waitpoint, it is
    /// closed, or the execution may accept no more.
    pub fn deliver(&mut self, signal: Heard) -> Result<SignalEffect, SignalRefusal> {
        if let Some(outcome) = self.outcome {
            return Err(SignalRefusal::TargetNotSignalable { outcome });
        }
        let waitpoint = self
            .waitpoints
            .iter()
            .find(|waitpoint| waitpoint.id == signal.waitpoint_id)
            .ok_or(SignalRefusal::WaitpointNotFound)?;
        let is_heard = match waitpoint.state {
            WaitpointState::Pending => false,
            WaitpointState::Active => true,
            WaitpointState::Closed | WaitpointState::Expired => {
                return Err(SignalRefusal::WaitpointClosed {
                    reason: waitpoint
                        .close_reason
                        .unwrap_or(WaitpointCloseReason::NeverCommitted),
                });
            }
        };
        if self.accepted >= self.accepted_max {
            return Err(SignalRefusal::SignalLimitExceeded {
                max: self.accepted_max,
            });
        }
        self.accepted += 1;
        Ok(match &mut self.waiting {
            Some(waiting) if is_heard => self.hear(signal),
            _ => SignalEffect::BufferedForPendingWaitpoint,
        })
    }

    fn hear(&mut self, signal: Heard) -> SignalEffect {
        let Some(waiting) = &mut self.waiting else {
            return SignalEffect::BufferedForPendingWaitpoint;
        };
        waiting.heard.push(signal);
        let facts = facts(&waiting.heard, &self.waitpoints);
        let effect = effect(&waiting.condition, &facts);
        if effect == SignalEffect::ResumeConditionSatisfied
            && let Evaluation::Satisfied { satisfiers, .. } = evaluate(&waiting.condition, &facts)
        {
            self.close(SuspensionCloseReason::Satisfied, satisfiers);
        }
        effect
    }

    /// Notes that the suspension ends without being satisfied, and the execution
    /// goes on; tells whether there was one.
    pub fn resume(&mut self, reason: SuspensionCloseReason) -> bool {
        let waits = self.is_waiting();
        if waits {
            self.close(reason, Vec::new());
        }
        waits
    }

    /// Whether it is suspended.
    pub fn is_waiting(&self) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.closing.is_none())
    }

    fn close(&mut self, reason: SuspensionCloseReason, satisfiers: Vec<SignalId>) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        let policy = waiting.policy;
        waiting.closing = Some(Closing::of(reason, satisfiers, &waiting.heard, policy));
        for waitpoint in &mut self.waitpoints {
            if waitpoint.state == WaitpointState::Active {
                (waitpoint.state, waitpoint.close_reason) = if policy.close_waitpoint_on_resume {
                    (WaitpointState::Closed, Some(reason.of_waitpoint()))
                } else {
                    (WaitpointState::Pending, None)
                };
            }
        }
    }
}

impl Closing {
    /// Decides whether what waits at waitpoints satisfies a condition before
    /// anybody is suspended on it.
    pub fn at_once(
        condition: &ResumeCondition,
        policy: ResumePolicy,
        waitpoints: &[InboxWaitpoint],
        heard: &[Heard],
    ) -> Option<Self> {
        match evaluate(condition, &facts(heard, waitpoints)) {
            Evaluation::Waiting => None,
            Evaluation::Satisfied { satisfiers, .. } => {
                let reason = SuspensionCloseReason::Satisfied;
                Some(Self::of(reason, satisfiers, heard, policy))
            }
        }
    }

    fn of(
        reason: SuspensionCloseReason,
        satisfiers: Vec<SignalId>,
        heard: &[Heard],
        policy: ResumePolicy,
    ) -> Self {
        let matched: HashSet<SignalId> = satisfiers.iter().copied().collect();
        let is_spent = |id: &SignalId| match matched.contains(id) {
            true => policy.consume_matched_signals,
            false => !policy.retain_signal_buffer_until_closed,
        };
        let spent = match policy.close_waitpoint_on_resume {
            true => Vec::new(),
            false => heard
                .iter()
                .map(|signal| signal.signal_id)
                .filter(is_spent)
                .collect(),
        };
        Self {
            reason,
            satisfiers,
            spent,
        }
    }
}

fn facts<'a>(heard: &'a [Heard], waitpoints: &'a [InboxWaitpoint]) -> Vec<SignalFact<'a>> {
    heard
        .iter()
        .filter_map(|signal| {
            let waitpoint = waitpoints
                .iter()
                .find(|waitpoint| waitpoint.id == signal.waitpoint_id)?;
            Some(SignalFact {
                waitpoint_key: &waitpoint.key,
                signal_id: signal.signal_id,
                name: &signal.name,
                source_type: &signal.source_type,
                source_identity: &signal.source_identity,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompositeBody, CountKind};
    use uuid::Uuid;

    const A: WaitpointId = WaitpointId(Uuid::from_u128(1));
    const B: WaitpointId = WaitpointId(Uuid::from_u128(2));

    fn signal(id: u128, waitpoint_id: WaitpointId) -> Heard {
        Heard {
            waitpoint_id,
            signal_id: SignalId(Uuid::from_u128(id)),
            name: "go".into(),
            source_type: "webhook".into(),
            source_identity: id.to_string(),
        }
    }

    fn waitpoint(id: WaitpointId, key: &str, state: WaitpointState) -> InboxWaitpoint {
        InboxWaitpoint {
            id,
            key: key.into(),
            state,
            close_reason: None,
        }
    }

    fn inbox(policy: ResumePolicy) -> Inbox {
        Inbox {
            outcome: None,
            waiting: Some(Waiting {
                suspension_id: SuspensionId(Uuid::nil()),
                condition: ResumeCondition::Composite(CompositeBody::Count {
                    n: 2,
                    count_kind: CountKind::DistinctSources,
                    matcher: None,
                    waitpoints: vec!["a".into()],
                }),
                policy,
                heard: vec![],
                closing: None,
            }),
            waitpoints: vec![
                waitpoint(A, "a", WaitpointState::Active),
                waitpoint(B, "b", WaitpointState::Pending),
            ],
            accepted: 0,
            accepted_max: 5,
        }
    }

    fn id(id: u128) -> SignalId {
        SignalId(Uuid::from_u128(id))
    }

    #[test]
    fn a_batch_is_decided_one_after_the_other() {
        let mut inbox = inbox(ResumePolicy::default());
        let mut deliver = |number, at| inbox.deliver(signal(number, at));
        assert_eq!(deliver(1, A), Ok(SignalEffect::AppendedToWaitpoint));
        assert_eq!(
            deliver(1, A),
            Ok(SignalEffect::AppendedToWaitpointDuplicate)
        );
        assert_eq!(deliver(3, B), Ok(SignalEffect::BufferedForPendingWaitpoint));
        assert_eq!(deliver(4, A), Ok(SignalEffect::ResumeConditionSatisfied));
        let closed = SignalRefusal::WaitpointClosed {
            reason: WaitpointCloseReason::Resumed,
        };
        assert_eq!(deliver(5, A), Err(closed));
        assert_eq!(deliver(6, B), Ok(SignalEffect::BufferedForPendingWaitpoint));
        let full = SignalRefusal::SignalLimitExceeded { max: 5 };
        assert_eq!(deliver(7, B), Err(full));
        let elsewhere = WaitpointId(Uuid::from_u128(9));
        assert_eq!(deliver(8, elsewhere), Err(SignalRefusal::WaitpointNotFound));
        let closing = inbox.waiting.and_then(|waiting| waiting.closing);
        assert_eq!(
            closing,
            Some(Closing {
                reason: SuspensionCloseReason::Satisfied,
                satisfiers: vec![id(1), id(4)],
                spent: vec![],
            })
        );
    }

    #[test]
    fn waitpoints_that_stay_open_are_pending_again() {
        for (consume, retain, spent) in [
            (true, false, vec![id(1), id(1), id(4)]),
            (true, true, vec![id(1), id(1), id(4)]),
            (false, false, vec![]),
            (false, true, vec![]),
        ] {
            let mut inbox = inbox(ResumePolicy {
                close_waitpoint_on_resume: false,
                consume_matched_signals: consume,
                retain_signal_buffer_until_closed: retain,
                ..ResumePolicy::default()
            });
            for number in [1, 1, 4] {
                inbox.deliver(signal(number, A)).expect("accepted");
            }
            assert_eq!(inbox.waitpoints[0].state, WaitpointState::Pending);
            let effect = inbox.deliver(signal(5, A));
            assert_eq!(effect, Ok(SignalEffect::BufferedForPendingWaitpoint));
            let closing = inbox.waiting.and_then(|waiting| waiting.closing);
            assert_eq!(closing.expect("satisfied").spent, spent);
        }
    }

    #[test]
    fn what_did_not_satisfy_is_kept_only_when_asked_for() {
        for (retain, left) in [
            (true, vec![id(1), id(4)]),
            (false, vec![id(1), id(2), id(4)]),
        ] {
            let policy = ResumePolicy {
                close_waitpoint_on_resume: false,
                retain_signal_buffer_until_closed: retain,
                ..ResumePolicy::default()
            };
            let mut inbox = inbox(policy);
            let again = Heard {
                signal_id: id(2),
                ..signal(1, A)
            };
            for signal in [signal(1, A), again, signal(4, A)] {
                inbox.deliver(signal).expect("accepted");
            }
            let closing = inbox.waiting.and_then(|waiting| waiting.closing);
            assert_eq!(closing.expect("satisfied").spent, left);
        }
    }

    #[test]
    fn whoever_resumes_first_ends_the_suspension() {
        let mut inbox = inbox(ResumePolicy::default());
        inbox.deliver(signal(1, A)).expect("accepted");
        assert!(inbox.resume(SuspensionCloseReason::OperatorResume));
        assert!(!inbox.resume(SuspensionCloseReason::TimedOutAutoResume));
        let refused = inbox.deliver(signal(2, A)).expect_err("closed");
        assert_eq!(refused.code(), "waitpoint_closed");
        let closing = inbox.waiting.and_then(|waiting| waiting.closing);
        assert_eq!(
            closing.expect("closed").reason,
            SuspensionCloseReason::OperatorResume
        );
    }

    #[test]
    fn a_finished_execution_takes_nothing() {
        let mut inbox = inbox(ResumePolicy::default());
        inbox.outcome = Some(Outcome::Cancelled);
        let refused = inbox.deliver(signal(1, A)).expect_err("refused");
        assert_eq!(refused.code(), "target_not_signalable");
    }
}
