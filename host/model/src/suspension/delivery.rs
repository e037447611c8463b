//! What a signal does to an execution, decided from what was read of that execution.
//!
//! [`DeliveryTarget`] is an execution as a delivery sees it. Each decision changes it, so
//! that the signals of a batch are decided one after the other and written together.

use std::collections::HashSet;

use crate::{
    Evaluation, Outcome, ResumeCondition, ResumePolicy, SignalEffect, SignalFact, SignalId,
    SignalRefusal, SuspensionCloseReason, SuspensionId, WaitpointCloseReason, WaitpointId,
    WaitpointRef, WaitpointState, effect, evaluate,
};

/// An execution as a delivery sees it.
#[derive(Debug, Clone)]
pub struct DeliveryTarget {
    /// How the execution finished; absent while it has not.
    pub outcome: Option<Outcome>,
    /// Its suspension; absent unless it is suspended.
    pub suspension: Option<OpenSuspension>,
    /// Its open waitpoints, and the closed ones that a caller named.
    pub waitpoints: Vec<TargetWaitpoint>,
    /// How many signals it has accepted since it was created or last replayed.
    pub accepted: u32,
    /// How many signals it may accept.
    pub accepted_max: u32,
}

/// A waitpoint as a delivery sees it.
#[derive(Debug, Clone)]
pub struct TargetWaitpoint {
    /// Id of the waitpoint.
    pub id: WaitpointId,
    /// Its key within the execution.
    pub key: String,
    /// Whether it takes signals. An active one belongs to the open suspension.
    pub state: WaitpointState,
    /// Why it takes none; absent while it is open, and for one whose time has passed but
    /// which no sweep has closed yet.
    pub close_reason: Option<WaitpointCloseReason>,
}

/// A suspension that was open when it was read.
#[derive(Debug, Clone)]
pub struct OpenSuspension {
    /// Id of the suspension.
    pub suspension_id: SuspensionId,
    /// Which signals satisfy it.
    pub condition: ResumeCondition,
    /// What happens to the execution, its signals and waitpoints when it resumes.
    pub policy: ResumePolicy,
    /// Unconsumed signals at its waitpoints, in the order they were accepted.
    pub received: Vec<SignalHeader>,
    /// How it was decided to end; absent while it stays open.
    pub end: Option<SuspensionEnd>,
}

/// A signal as a condition sees it: everything but its payload.
#[derive(Debug, Clone)]
pub struct SignalHeader {
    /// The waitpoint it was sent to.
    pub waitpoint_id: WaitpointId,
    /// Id of the signal.
    pub signal_id: SignalId,
    /// Its name, which a matcher may ask for.
    pub name: String,
    /// Type of its sender, such as `webhook`.
    pub source_type: String,
    /// Identity of its sender within that type.
    pub source_identity: String,
}

/// How a suspension ends, and which signals the next one will not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspensionEnd {
    /// Why the suspension ends.
    pub reason: SuspensionCloseReason,
    /// The signals that satisfied it, in the order they were accepted.
    pub satisfiers: Vec<SignalId>,
    /// Signals that count for no later suspension; empty if the waitpoints close.
    pub consumed: Vec<SignalId>,
}

impl TargetWaitpoint {
    /// Whether it takes signals.
    pub fn is_open(&self) -> bool {
        matches!(self.state, WaitpointState::Pending | WaitpointState::Active)
    }

    /// Returns why it takes no signals; `None` if it does.
    pub fn closed(&self) -> Option<WaitpointCloseReason> {
        let reason = self.close_reason;
        (!self.is_open()).then(|| reason.unwrap_or(WaitpointCloseReason::NeverCommitted))
    }
}

impl DeliveryTarget {
    /// Returns the open waitpoints.
    pub fn open_waitpoints(&self) -> impl Iterator<Item = &TargetWaitpoint> {
        self.waitpoints.iter().filter(|it| it.is_open())
    }

    /// Finds the waitpoint that a caller means.
    ///
    /// # Errors
    /// The execution has no such waitpoint, or several are open and none was named.
    pub fn find(&self, waitpoint: &WaitpointRef) -> Result<&TargetWaitpoint, SignalRefusal> {
        let found = match waitpoint {
            WaitpointRef::Id(id) => self.waitpoints.iter().find(|it| it.id == *id),
            WaitpointRef::Key(key) => {
                let last = || self.waitpoints.iter().rfind(|it| it.key == *key);
                let open = self.open_waitpoints().find(|it| it.key == *key);
                open.or_else(last)
            }
            WaitpointRef::Only => {
                let open = self.open_waitpoints().count();
                if open > 1 {
                    return Err(SignalRefusal::WaitpointAmbiguous { open });
                }
                self.open_waitpoints().next()
            }
        };
        found.ok_or(SignalRefusal::WaitpointNotFound)
    }

    /// Decides what a signal does that is not a duplicate, and records it.
    ///
    /// # Errors
    /// Nothing was recorded: the execution is finished, has no such waitpoint, that
    /// waitpoint is closed, or the execution may accept no more signals.
    pub fn deliver(&mut self, signal: SignalHeader) -> Result<SignalEffect, SignalRefusal> {
        if let Some(outcome) = self.outcome {
            return Err(SignalRefusal::TargetNotSignalable { outcome });
        }
        let waitpoint = self.find(&WaitpointRef::Id(signal.waitpoint_id))?;
        if let Some(reason) = waitpoint.closed() {
            return Err(SignalRefusal::WaitpointClosed { reason });
        }
        let is_active = waitpoint.state == WaitpointState::Active;
        if self.accepted >= self.accepted_max {
            return Err(SignalRefusal::SignalLimitExceeded {
                max: self.accepted_max,
            });
        }
        self.accepted += 1;
        Ok(match &mut self.suspension {
            Some(suspension) if is_active => {
                suspension.received.push(signal);
                self.evaluate_suspension()
            }
            _ => SignalEffect::BufferedForPendingWaitpoint,
        })
    }

    /// Decides what the last signal received did, and ends the suspension if it satisfied
    /// the condition.
    fn evaluate_suspension(&mut self) -> SignalEffect {
        let Some(suspension) = &self.suspension else {
            return SignalEffect::BufferedForPendingWaitpoint;
        };
        let facts = facts(&suspension.received, &self.waitpoints);
        let effect = effect(&suspension.condition, &facts);
        if effect == SignalEffect::ResumeConditionSatisfied
            && let Evaluation::Satisfied { satisfiers, .. } =
                evaluate(&suspension.condition, &facts)
        {
            self.end_suspension(SuspensionCloseReason::Satisfied, satisfiers);
        }
        effect
    }

    /// Records that the suspension ends without being satisfied, and the execution
    /// resumes; tells whether there was one.
    pub fn resume(&mut self, reason: SuspensionCloseReason) -> bool {
        let is_suspended = self.is_suspended();
        if is_suspended {
            self.end_suspension(reason, Vec::new());
        }
        is_suspended
    }

    /// Whether it is suspended, after what was decided so far.
    pub fn is_suspended(&self) -> bool {
        self.suspension.as_ref().is_some_and(|it| it.end.is_none())
    }

    fn end_suspension(&mut self, reason: SuspensionCloseReason, satisfiers: Vec<SignalId>) {
        let Some(suspension) = &mut self.suspension else {
            return;
        };
        let policy = suspension.policy;
        let end = SuspensionEnd::of(reason, satisfiers, &suspension.received, policy);
        suspension.end = Some(end);
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

impl SuspensionEnd {
    /// Decides whether signals received before a suspension begins satisfy its condition
    /// immediately.
    pub fn immediate(
        condition: &ResumeCondition,
        policy: ResumePolicy,
        waitpoints: &[TargetWaitpoint],
        received: &[SignalHeader],
    ) -> Option<Self> {
        match evaluate(condition, &facts(received, waitpoints)) {
            Evaluation::Waiting => None,
            Evaluation::Satisfied { satisfiers, .. } => {
                let reason = SuspensionCloseReason::Satisfied;
                Some(Self::of(reason, satisfiers, received, policy))
            }
        }
    }

    fn of(
        reason: SuspensionCloseReason,
        satisfiers: Vec<SignalId>,
        received: &[SignalHeader],
        policy: ResumePolicy,
    ) -> Self {
        let matched: HashSet<SignalId> = satisfiers.iter().copied().collect();
        let is_consumed = |id: &SignalId| match matched.contains(id) {
            true => policy.consume_matched_signals,
            false => !policy.retain_signal_buffer_until_closed,
        };
        let consumed = match policy.close_waitpoint_on_resume {
            true => Vec::new(),
            false => received
                .iter()
                .map(|signal| signal.signal_id)
                .filter(is_consumed)
                .collect(),
        };
        Self {
            reason,
            satisfiers,
            consumed,
        }
    }
}

fn facts<'a>(
    received: &'a [SignalHeader],
    waitpoints: &'a [TargetWaitpoint],
) -> Vec<SignalFact<'a>> {
    received
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

    fn signal(id: u128, waitpoint_id: WaitpointId) -> SignalHeader {
        SignalHeader {
            waitpoint_id,
            signal_id: SignalId(Uuid::from_u128(id)),
            name: "approved".into(),
            source_type: "webhook".into(),
            source_identity: id.to_string(),
        }
    }

    fn waitpoint(id: WaitpointId, key: &str, state: WaitpointState) -> TargetWaitpoint {
        TargetWaitpoint {
            id,
            key: key.into(),
            state,
            close_reason: None,
        }
    }

    fn target(policy: ResumePolicy) -> DeliveryTarget {
        DeliveryTarget {
            outcome: None,
            suspension: Some(OpenSuspension {
                suspension_id: SuspensionId(Uuid::nil()),
                condition: ResumeCondition::Composite(CompositeBody::Count {
                    n: 2,
                    count_kind: CountKind::DistinctSources,
                    matcher: None,
                    waitpoints: vec!["a".into()],
                }),
                policy,
                received: vec![],
                end: None,
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
        let mut target = target(ResumePolicy::default());
        let mut deliver = |number, at| target.deliver(signal(number, at));
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
        let end = target.suspension.and_then(|it| it.end);
        assert_eq!(
            end,
            Some(SuspensionEnd {
                reason: SuspensionCloseReason::Satisfied,
                satisfiers: vec![id(1), id(4)],
                consumed: vec![],
            })
        );
    }

    #[test]
    fn waitpoints_that_stay_open_are_pending_again() {
        for (consume, retain, consumed) in [
            (true, false, vec![id(1), id(1), id(4)]),
            (true, true, vec![id(1), id(1), id(4)]),
            (false, false, vec![]),
            (false, true, vec![]),
        ] {
            let mut target = target(ResumePolicy {
                close_waitpoint_on_resume: false,
                consume_matched_signals: consume,
                retain_signal_buffer_until_closed: retain,
                ..ResumePolicy::default()
            });
            for number in [1, 1, 4] {
                target.deliver(signal(number, A)).expect("accepted");
            }
            assert_eq!(target.waitpoints[0].state, WaitpointState::Pending);
            let effect = target.deliver(signal(5, A));
            assert_eq!(effect, Ok(SignalEffect::BufferedForPendingWaitpoint));
            let end = target.suspension.and_then(|it| it.end);
            assert_eq!(end.expect("satisfied").consumed, consumed);
        }
    }

    #[test]
    fn signals_that_did_not_satisfy_count_again_only_if_the_policy_says_so() {
        for (retain, consumed) in [
            (true, vec![id(1), id(4)]),
            (false, vec![id(1), id(2), id(4)]),
        ] {
            let policy = ResumePolicy {
                close_waitpoint_on_resume: false,
                retain_signal_buffer_until_closed: retain,
                ..ResumePolicy::default()
            };
            let mut target = target(policy);
            let again = SignalHeader {
                signal_id: id(2),
                ..signal(1, A)
            };
            for signal in [signal(1, A), again, signal(4, A)] {
                target.deliver(signal).expect("accepted");
            }
            let end = target.suspension.and_then(|it| it.end);
            assert_eq!(end.expect("satisfied").consumed, consumed);
        }
    }

    #[test]
    fn the_first_resume_ends_the_suspension() {
        let mut target = target(ResumePolicy::default());
        target.deliver(signal(1, A)).expect("accepted");
        assert!(target.resume(SuspensionCloseReason::OperatorResume));
        assert!(!target.resume(SuspensionCloseReason::TimedOutAutoResume));
        let refused = target.deliver(signal(2, A)).expect_err("closed");
        assert_eq!(refused.code(), "waitpoint_closed");
        let end = target.suspension.and_then(|it| it.end);
        assert_eq!(
            end.expect("ended").reason,
            SuspensionCloseReason::OperatorResume
        );
    }

    #[test]
    fn a_finished_execution_accepts_no_signal() {
        let mut target = target(ResumePolicy::default());
        target.outcome = Some(Outcome::Cancelled);
        let refused = target.deliver(signal(1, A)).expect_err("refused");
        assert_eq!(refused.code(), "target_not_signalable");
    }
}
