//! Events as the log has them, and as subscribers of a family see them.

use time::OffsetDateTime;

use super::fact::{
    CompletionOutcome, DeliveredSignal, EventFact, FlowFact, LeaseFact, OperatorFact, RevokedBy,
    SignalDeliveryEffect, TagFact, WorkerFact,
};
use crate::{
    CancelSource, EventCursor, EventFamily, EventKind, EventPlace, ExecutionId, FlowId, LeaseEnd,
    LeaseId, SignalId, WaitpointId,
};

/// One event as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The place after this event.
    pub place: EventPlace,
    /// What happened; a word that no version up to this one knows is kept.
    pub kind: Result<EventKind, String>,
    /// The execution it happened to; absent for events of workers and flows.
    pub execution_id: Option<ExecutionId>,
    /// The flow it happened to; absent for events of executions and workers.
    pub flow_id: Option<FlowId>,
    /// The namespace of the execution or the worker; absent for a worker of all of them.
    pub namespace: Option<String>,
    /// The lane of the execution; absent if it is not known any more.
    pub lane: Option<String>,
    /// The kind of the execution; absent if it is not known any more.
    pub execution_kind: Option<String>,
    /// The epoch of the execution after the event.
    pub epoch: u64,
    /// The attempt concerned, counted from zero; absent before the first.
    pub attempt: Option<u32>,
    /// The lease concerned; absent if none is.
    pub lease_id: Option<LeaseId>,
    /// The worker instance concerned; absent if none is.
    pub worker_instance_id: Option<String>,
    /// What it says beside its kind, in the words of the log:
    ///
    /// | kinds | words |
    /// |---|---|
    /// | ends of a lease | a [`LeaseEnd`] if it was lost; a [`CancelSource`] if it ended with its execution, from outside |
    /// | `signalled` | ids of signal and waitpoint, the effect, who sent it |
    /// | `tagged`, `cleared` | key, `=` and value; key |
    /// | `prioritised` | priority before and after |
    /// | `blocked`, `unblocked` | the blocking reason |
    /// | `replayed` | the outcome before |
    /// | `flow_cancel_requested` | the policy |
    /// | `flow_ended` | `completed`, `failed` or `cancelled` |
    /// | `registered`, `retired`, `timed_out` | the worker |
    /// | `marked_dead` | why |
    pub detail: Option<String>,
    /// When it happened, by the database's clock.
    pub at: OffsetDateTime,
}

/// One event as a subscriber of its family sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The cursor after this event.
    pub cursor: EventCursor,
    /// What happened, in the words of the family.
    pub fact: EventFact,
    /// To which execution, under which lease and when.
    pub logged: LoggedEvent,
}

impl LoggedEvent {
    /// Returns what the event says to subscribers of a family; `None` if it is not of it.
    pub fn fact(&self, family: EventFamily) -> Option<EventFact> {
        let kind = match &self.kind {
            Ok(kind) => *kind,
            // Nothing tells its family.
            Err(word) => {
                let lifecycle = family == EventFamily::Lifecycle;
                return lifecycle.then(|| EventFact::Lifecycle(word.clone()));
            }
        };
        if !family.kinds().contains(&kind) {
            return None;
        }
        let detail = || self.detail.clone();
        Some(match family {
            EventFamily::LeaseHistory => EventFact::Lease(self.lease_fact(kind)?),
            EventFamily::Completion => EventFact::Completion(outcome(kind)),
            EventFamily::SignalDelivery => EventFact::Signal(self.signal_fact()),
            EventFamily::InstanceTags => EventFact::Tag(self.tag_fact(kind)),
            EventFamily::Operator => EventFact::Operator(match kind {
                EventKind::Prioritized => OperatorFact::PriorityChanged(self.priorities()),
                EventKind::Replayed => OperatorFact::Replayed(detail()),
                EventKind::Blocked => OperatorFact::Blocked(detail()),
                EventKind::Unblocked => OperatorFact::Unblocked(detail()),
                EventKind::Escalated => OperatorFact::Escalated,
                EventKind::FlowCancelRequested => OperatorFact::FlowCancelRequested(detail()),
                other => OperatorFact::Other(other.to_string()),
            }),
            EventFamily::Registry => EventFact::Worker(match kind {
                EventKind::Registered => WorkerFact::Registered(detail()),
                EventKind::Retired => WorkerFact::Retired(detail()),
                EventKind::MarkedDead => WorkerFact::MarkedDead(detail()),
                EventKind::TimedOut => WorkerFact::TimedOut(detail()),
                other => WorkerFact::Other(other.to_string()),
            }),
            EventFamily::Flow => EventFact::Flow(match kind {
                EventKind::FlowEnded => FlowFact::Ended(detail()),
                EventKind::FlowCancelRequested => FlowFact::CancelRequested(detail()),
                other => FlowFact::Other(other.to_string()),
            }),
            EventFamily::Lifecycle => EventFact::Lifecycle(match kind {
                EventKind::Expired => "lease_expired".to_owned(),
                EventKind::Revoked => "lease_revoked".to_owned(),
                kind if kind.is_end() => outcome(kind).as_str().to_owned(),
                kind => kind.to_string(),
            }),
        })
    }

    /// What happened to the lease; `None` if the execution had none.
    fn lease_fact(&self, kind: EventKind) -> Option<LeaseFact> {
        match kind {
            EventKind::Acquired => return Some(LeaseFact::Acquired),
            EventKind::Renewed => return Some(LeaseFact::Renewed),
            EventKind::Reclaimed => return Some(LeaseFact::Reclaimed),
            _ => self.lease_id?,
        };
        let word = self.detail.as_deref();
        // A caller may name the source of a cancellation with any word.
        let lost = word.filter(|_| kind != EventKind::Cancelled);
        if let Some(end) = lost.and_then(|word| word.parse::<LeaseEnd>().ok()) {
            return Some(match end {
                LeaseEnd::Expired | LeaseEnd::AttemptTimeout => LeaseFact::Expired(end),
                LeaseEnd::Revoked | LeaseEnd::Overridden => LeaseFact::Revoked(RevokedBy::Operator),
            });
        }
        Some(match (kind, word.map(CancelSource::of_word)) {
            // Of a host of an earlier version, which did not say more.
            (EventKind::Expired, _) => LeaseFact::Expired(LeaseEnd::Expired),
            (EventKind::Revoked, _) => LeaseFact::Revoked(RevokedBy::Operator),
            (_, None | Some(CancelSource::LeaseHolder)) => LeaseFact::Released(released(kind)),
            (_, Some(CancelSource::SystemTimeout)) => LeaseFact::Revoked(RevokedBy::Reconciler),
            (_, Some(CancelSource::FlowCascade)) => LeaseFact::Revoked(RevokedBy::Backend),
            (_, Some(CancelSource::OperatorOverride | CancelSource::Custom(_))) => {
                LeaseFact::Revoked(RevokedBy::Operator)
            }
        })
    }

    fn signal_fact(&self) -> DeliveredSignal {
        let mut words = self.detail.as_deref().unwrap_or_default().splitn(4, ' ');
        let mut id = || words.next().and_then(|word| word.parse().ok());
        let signal_id = id().map(SignalId);
        let waitpoint_id = id().map(WaitpointId);
        DeliveredSignal {
            signal_id,
            waitpoint_id,
            effect: SignalDeliveryEffect::from_word(words.next().unwrap_or("accepted")),
            source_identity: words.next().map(str::to_owned),
        }
    }

    fn tag_fact(&self, kind: EventKind) -> TagFact {
        match (kind, self.detail.as_deref()) {
            (_, None) => TagFact::Other("changed".to_owned()),
            (EventKind::Cleared, Some(key)) => TagFact::Cleared {
                key: key.to_owned(),
            },
            (_, Some(label)) => {
                let (key, value) = label.split_once('=').unwrap_or((label, ""));
                TagFact::Attached {
                    key: key.to_owned(),
                    value: value.to_owned(),
                }
            }
        }
    }

    fn priorities(&self) -> Option<(i32, i32)> {
        let (before, after) = self.detail.as_deref()?.split_once(' ')?;
        Some((before.parse().ok()?, after.parse().ok()?))
    }
}

fn outcome(kind: EventKind) -> CompletionOutcome {
    match kind {
        EventKind::Success => CompletionOutcome::Success,
        EventKind::Failed => CompletionOutcome::Failure,
        EventKind::Cancelled => CompletionOutcome::Cancelled,
        EventKind::ExecutionExpired => CompletionOutcome::Other("expired".to_owned()),
        other => CompletionOutcome::Other(other.to_string()),
    }
}

/// How the holder of a lease ended it.
fn released(kind: EventKind) -> String {
    match kind.is_end() {
        true => outcome(kind).as_str().to_owned(),
        false => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(kind: EventKind, detail: Option<&str>) -> LoggedEvent {
        LoggedEvent {
            place: EventPlace::START,
            kind: Ok(kind),
            execution_id: None,
            flow_id: None,
            namespace: None,
            lane: None,
            execution_kind: None,
            epoch: 1,
            attempt: Some(0),
            lease_id: Some(LeaseId(uuid::Uuid::from_u128(7))),
            worker_instance_id: Some("w".to_owned()),
            detail: detail.map(str::to_owned),
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_lease_that_ends_is_told_by_how_it_ended() {
        use LeaseFact::{Expired, Released, Revoked};
        for (kind, detail, wanted) in [
            (EventKind::Success, None, Released("success".to_owned())),
            (EventKind::Suspended, None, Released("suspended".to_owned())),
            (EventKind::Released, None, Released("released".to_owned())),
            (
                EventKind::Expired,
                Some("lease_expired"),
                Expired(LeaseEnd::Expired),
            ),
            // The last loss that the cap allows.
            (
                EventKind::Failed,
                Some("lease_expired"),
                Expired(LeaseEnd::Expired),
            ),
            (
                EventKind::Failed,
                Some("lease_revoked"),
                Revoked(RevokedBy::Operator),
            ),
            (
                EventKind::RetryScheduled,
                Some("attempt_timeout"),
                Expired(LeaseEnd::AttemptTimeout),
            ),
            (
                EventKind::Success,
                Some("overridden"),
                Revoked(RevokedBy::Operator),
            ),
            (
                EventKind::Cancelled,
                Some("lease_holder"),
                Released("cancelled".to_owned()),
            ),
            (
                EventKind::Cancelled,
                Some("operator_override"),
                Revoked(RevokedBy::Operator),
            ),
            (
                EventKind::Cancelled,
                Some("team:billing"),
                Revoked(RevokedBy::Operator),
            ),
            (
                EventKind::ExecutionExpired,
                Some("system_timeout"),
                Revoked(RevokedBy::Reconciler),
            ),
            (
                EventKind::Cancelled,
                Some("flow_cascade"),
                Revoked(RevokedBy::Backend),
            ),
        ] {
            let fact = logged(kind, detail).fact(EventFamily::LeaseHistory);
            assert_eq!(fact, Some(EventFact::Lease(wanted)), "{kind} {detail:?}");
        }
        let mut waiting = logged(EventKind::Cancelled, Some("operator_override"));
        waiting.lease_id = None;
        assert_eq!(waiting.fact(EventFamily::LeaseHistory), None);
    }

    #[test]
    fn what_a_later_version_writes_is_carried_through() {
        let mut later = logged(EventKind::Success, None);
        later.kind = Err("migrated".to_owned());
        assert_eq!(later.fact(EventFamily::Completion), None);
        let fact = later
            .fact(EventFamily::Lifecycle)
            .expect("of the lifecycle");
        assert_eq!(fact.name(), "migrated");
        let fact =
            logged(EventKind::Signalled, Some("x y throttled")).fact(EventFamily::SignalDelivery);
        assert_eq!(fact.expect("a signal").name(), "throttled");
    }

    #[test]
    fn signals_labels_and_priorities_read_back() {
        let (a, b) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
        let detail = format!("{a} {b} resume_condition_satisfied a b c");
        let fact = logged(EventKind::Signalled, Some(&detail)).fact(EventFamily::SignalDelivery);
        let wanted = DeliveredSignal {
            signal_id: Some(SignalId(a)),
            waitpoint_id: Some(WaitpointId(b)),
            source_identity: Some("a b c".to_owned()),
            effect: SignalDeliveryEffect::Satisfied,
        };
        assert_eq!(fact, Some(EventFact::Signal(wanted)));
        let fact = logged(EventKind::Tagged, Some("team=a=b")).fact(EventFamily::InstanceTags);
        let detail = fact.expect("a label").detail();
        assert_eq!(
            (detail.tag.as_deref(), detail.value.as_deref()),
            (Some("team"), Some("a=b"))
        );
        let fact = logged(EventKind::Prioritized, Some("-3 9000")).fact(EventFamily::Operator);
        let detail = fact.expect("a change").detail();
        assert_eq!(
            (detail.priority_before, detail.priority),
            (Some(-3), Some(9000))
        );
    }
}
