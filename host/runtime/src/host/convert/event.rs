//! Events, as a service reads them.

use model::{
    CompletionOutcome, Event, EventFact, EventFamily, LeaseEnd, LeaseFact, LoggedEvent,
    OperatorFact, SignalDeliveryEffect, TagFact,
};

use super::{text_bytes, timestamp_ms};
use crate::host::bindings::service::flowhost::engine::events as wit;

/// Returns the family of the log.
pub(in crate::host) const fn family(family: wit::Family) -> EventFamily {
    match family {
        wit::Family::LeaseHistory => EventFamily::LeaseHistory,
        wit::Family::Completion => EventFamily::Completion,
        wit::Family::SignalDelivery => EventFamily::SignalDelivery,
        wit::Family::InstanceTags => EventFamily::InstanceTags,
        wit::Family::Operator => EventFamily::Operator,
        wit::Family::Lifecycle => EventFamily::Lifecycle,
    }
}

/// Builds an event for a guest, which gets `cursor` for the place after it; `None` if it
/// is not of an execution.
pub(in crate::host) fn event(event: Event, cursor: String) -> Option<wit::Event> {
    let Event { fact, logged, .. } = event;
    let LoggedEvent {
        execution_id,
        namespace,
        execution_kind,
        lane,
        ..
    } = logged;
    Some(wit::Event {
        cursor,
        at: timestamp_ms(logged.at),
        fact: fact_of(fact)?,
        execution_id: execution_id?.to_string(),
        namespace: namespace?,
        kind: execution_kind,
        lane,
        epoch: logged.epoch,
        attempt_index: logged.attempt,
        lease_id: logged.lease_id.map(|id| id.to_string()),
        worker_instance_id: logged.worker_instance_id,
    })
}

fn fact_of(fact: EventFact) -> Option<wit::Fact> {
    Some(match fact {
        EventFact::Lease(fact) => wit::Fact::Lease(lease(fact)),
        EventFact::Completion(outcome) => wit::Fact::Completion(match outcome {
            CompletionOutcome::Success => wit::Outcome::Success,
            CompletionOutcome::Failure => wit::Outcome::Failure,
            CompletionOutcome::Cancelled => wit::Outcome::Cancelled,
            CompletionOutcome::Other(word) => wit::Outcome::Other(word),
        }),
        EventFact::Signal(signal) => wit::Fact::Signal(wit::SignalFact {
            signal_id: signal.signal_id.map(|id| id.to_string()),
            waitpoint_id: signal.waitpoint_id.map(|id| id.to_string()),
            source_identity: signal.source_identity,
            effect: match signal.effect {
                SignalDeliveryEffect::Satisfied => wit::DeliveryEffect::Satisfied,
                SignalDeliveryEffect::Buffered => wit::DeliveryEffect::Buffered,
                SignalDeliveryEffect::Deduped => wit::DeliveryEffect::Deduped,
                SignalDeliveryEffect::Other(word) => wit::DeliveryEffect::Other(word),
            },
        }),
        EventFact::Tag(tag) => wit::Fact::Tag(match tag {
            TagFact::Attached { key, value } => wit::TagFact::Attached(wit::Label { key, value }),
            TagFact::Cleared { key } => wit::TagFact::Cleared(key),
            TagFact::Other(word) => wit::TagFact::Other(word),
        }),
        EventFact::Operator(fact) => wit::Fact::Operator(operator(fact)),
        EventFact::Lifecycle(word) => wit::Fact::Lifecycle(word),
        EventFact::Worker(_) | EventFact::Flow(_) => return None,
    })
}

fn lease(fact: LeaseFact) -> wit::LeaseFact {
    match fact {
        LeaseFact::Acquired => wit::LeaseFact::Acquired,
        LeaseFact::Renewed => wit::LeaseFact::Renewed,
        LeaseFact::Expired(LeaseEnd::AttemptTimeout) => {
            wit::LeaseFact::Expired(wit::LeaseEnd::AttemptTimeout)
        }
        LeaseFact::Expired(_) => wit::LeaseFact::Expired(wit::LeaseEnd::LeaseExpired),
        LeaseFact::Reclaimed => wit::LeaseFact::Reclaimed,
        LeaseFact::Revoked(by) => wit::LeaseFact::Revoked(by.into()),
        LeaseFact::Released(word) => wit::LeaseFact::Released(word),
        LeaseFact::Other(word) => wit::LeaseFact::Other(word),
    }
}

fn operator(fact: OperatorFact) -> wit::OperatorFact {
    match fact {
        OperatorFact::PriorityChanged(change) => {
            wit::OperatorFact::PriorityChanged(change.and_then(|(before, after)| {
                Some(wit::PriorityChange {
                    before: u16::try_from(before).ok()?,
                    after: u16::try_from(after).ok()?,
                })
            }))
        }
        OperatorFact::Replayed(word) => wit::OperatorFact::Replayed(word),
        OperatorFact::Blocked(word) => wit::OperatorFact::Blocked(word),
        OperatorFact::Unblocked(word) => wit::OperatorFact::Unblocked(word),
        OperatorFact::Escalated => wit::OperatorFact::Escalated,
        OperatorFact::FlowCancelRequested(_) => {
            wit::OperatorFact::Other("flow_cancel_requested".to_owned())
        }
        OperatorFact::Other(word) => wit::OperatorFact::Other(word),
    }
}

/// Returns the bytes of events, the list they are in included.
pub(in crate::host) fn bytes(events: &[wit::Event]) -> usize {
    size_of_val(events) + events.iter().map(bytes_of).sum::<usize>()
}

fn bytes_of(event: &wit::Event) -> usize {
    let texts = [
        &event.kind,
        &event.lane,
        &event.lease_id,
        &event.worker_instance_id,
    ];
    event.cursor.len()
        + event.execution_id.len()
        + event.namespace.len()
        + texts
            .map(|text| text_bytes(text.as_ref()))
            .iter()
            .sum::<usize>()
        + fact_bytes(&event.fact)
}

fn fact_bytes(fact: &wit::Fact) -> usize {
    match fact {
        wit::Fact::Lease(wit::LeaseFact::Released(word) | wit::LeaseFact::Other(word))
        | wit::Fact::Completion(wit::Outcome::Other(word))
        | wit::Fact::Tag(wit::TagFact::Cleared(word) | wit::TagFact::Other(word))
        | wit::Fact::Operator(wit::OperatorFact::Other(word))
        | wit::Fact::Lifecycle(word) => word.len(),
        wit::Fact::Operator(
            wit::OperatorFact::Replayed(word)
            | wit::OperatorFact::Blocked(word)
            | wit::OperatorFact::Unblocked(word),
        ) => text_bytes(word.as_ref()),
        wit::Fact::Tag(wit::TagFact::Attached(label)) => label.key.len() + label.value.len(),
        wit::Fact::Signal(signal) => {
            let effect = match &signal.effect {
                wit::DeliveryEffect::Other(word) => word.len(),
                _ => 0,
            };
            text_bytes(signal.signal_id.as_ref())
                + text_bytes(signal.waitpoint_id.as_ref())
                + text_bytes(signal.source_identity.as_ref())
                + effect
        }
        wit::Fact::Lease(_) | wit::Fact::Completion(_) | wit::Fact::Operator(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use model::{EventCursor, EventKind, EventPlace, ExecutionId, Partition};
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn every_kind_of_event_of_an_execution_reaches_a_guest_in_the_words_of_its_family() {
        let partition = Partition::new(0).expect("a partition");
        let shown = |kind: EventKind, family| {
            let logged = LoggedEvent {
                place: EventPlace::START,
                kind: Ok(kind),
                flow_id: None,
                execution_id: Some(ExecutionId::from_parts(partition, 1, 1)),
                namespace: Some("default".into()),
                lane: None,
                execution_kind: None,
                epoch: 1,
                attempt: Some(0),
                lease_id: Some(model::LeaseId(uuid::Uuid::nil())),
                worker_instance_id: None,
                detail: None,
                at: OffsetDateTime::UNIX_EPOCH,
            };
            let fact = logged.fact(family)?;
            let cursor = EventCursor(String::new());
            event(
                Event {
                    cursor,
                    fact,
                    logged,
                },
                "c".into(),
            )
        };
        let families = [
            wit::Family::LeaseHistory,
            wit::Family::Completion,
            wit::Family::SignalDelivery,
            wit::Family::InstanceTags,
            wit::Family::Operator,
            wit::Family::Lifecycle,
        ];
        for of in families {
            for kind in family(of).kinds() {
                let event = shown(kind, family(of));
                let event = event.unwrap_or_else(|| panic!("{kind} of {of:?}"));
                let fits = matches!(
                    (of, &event.fact),
                    (wit::Family::LeaseHistory, wit::Fact::Lease(_))
                        | (wit::Family::Completion, wit::Fact::Completion(_))
                        | (wit::Family::SignalDelivery, wit::Fact::Signal(_))
                        | (wit::Family::InstanceTags, wit::Fact::Tag(_))
                        | (wit::Family::Operator, wit::Fact::Operator(_))
                        | (wit::Family::Lifecycle, wit::Fact::Lifecycle(_))
                );
                assert!(fits, "{kind} of {of:?}: {:?}", event.fact);
            }
        }
        assert_eq!(
            shown(EventKind::Registered, EventFamily::Registry).map(|_| ()),
            None
        );
    }
}
