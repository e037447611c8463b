//! Events and pages of them.

use model::{EventFact, EventFamily, FlowFact, LeaseFact};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

/// Events of a family, and where to continue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The events, in order.
    pub events: Vec<Event>,
    /// What to pass as `after` to continue. It moves past events that the filters leave out,
    /// so it may differ from that of the last event, and moves without any.
    pub cursor: String,
    /// Whether there may be more to read now.
    pub more: bool,
}

/// Defines the event of the wire: members that are left out where they are absent stand
/// behind those that every event has.
macro_rules! event {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$always_meta:meta])* $always:ident: $always_type:ty,)*
        } absent {
            $($(#[$perhaps_meta:meta])* $perhaps:ident: $perhaps_type:ty as $shown:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        pub struct $name {
            $($(#[$always_meta])* pub $always: $always_type,)*
            $(
                $(#[$perhaps_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schema(value_type = $shown)]
                pub $perhaps: Option<$perhaps_type>,
            )*
        }
    };
}

event! {
    /// One event. Members are absent where the event says nothing of the kind.
    Event {
        /// What to pass as `after` to continue behind this event.
        cursor: String,
        /// The family it was read from: a change may be an event of several.
        family: String,
        /// What happened, in the words of the family.
        event: String,
        /// When it happened, by the clock of the database.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    } absent {
        /// The execution it happened to; absent for events of workers and flows.
        execution_id: String as String,
        /// The flow it happened to; absent for events of executions and workers.
        flow_id: String as String,
        /// Namespace of the execution, the flow or the worker; absent for a worker of all of
        /// them.
        namespace: String as String,
        /// Lane of the execution; absent if it is not known any more.
        lane: String as String,
        /// Kind of the execution; absent if it is not known any more.
        execution_kind: String as String,
        /// Epoch of the execution after the event; absent for events of workers.
        epoch: u64 as u64,
        /// The attempt concerned, counted from zero.
        attempt: u32 as u32,
        /// The lease that the event is about.
        lease_id: String as String,
        /// The worker instance concerned: the holder of the lease, or the one that is
        /// registered or not any more.
        worker_instance_id: String as String,
        /// How an execution ended: `success`, `failure`, `cancelled`, or another word; how a
        /// flow did: `completed`, `failed` or `cancelled`.
        outcome: String as String,
        /// The holder of a lease that expired, or was released or revoked.
        prev_owner: String as String,
        /// The new lease of an execution that was claimed again.
        new_lease_id: String as String,
        /// The holder of the new lease.
        new_owner: String as String,
        /// Who took a lease from its holder: `operator`, `reconciler` or `backend`.
        revoked_by: String as String,
        /// Of a lease that expired or was released: how. Of an execution that was blocked,
        /// unblocked or replayed: why, or how it had ended. Of a dead worker: why.
        reason: String as String,
        /// The signal that was delivered.
        signal_id: String as String,
        /// Where the signal arrived.
        waitpoint_id: String as String,
        /// Who sent the signal.
        source_identity: String as String,
        /// Key of a label.
        tag: String as String,
        /// Value of a label that was attached.
        value: String as String,
        /// The priority before a change.
        priority_before: i32 as i32,
        /// The priority after a change.
        priority: i32 as i32,
        /// The worker that an instance belongs to.
        worker_id: String as String,
    }
}

impl Event {
    /// Shows an event of a family under a cursor.
    pub fn new(family: EventFamily, cursor: String, event: model::Event) -> Self {
        let model::Event { fact, logged, .. } = event;
        let detail = fact.detail();
        let (lease_id, holder) = (
            logged.lease_id.map(|id| id.to_string()),
            logged.worker_instance_id.clone(),
        );
        let mut shown = Self {
            cursor,
            family: family.to_string(),
            event: fact.name().to_owned(),
            at: logged.at,
            execution_id: logged.execution_id.map(|id| id.to_string()),
            flow_id: logged.flow_id.map(|id| id.to_string()),
            namespace: logged.namespace,
            lane: logged.lane,
            execution_kind: logged.execution_kind,
            epoch: logged.execution_id.map(|_| logged.epoch),
            attempt: logged.attempt,
            lease_id: lease_id.clone(),
            worker_instance_id: logged.worker_instance_id,
            outcome: None,
            prev_owner: None,
            new_lease_id: None,
            new_owner: None,
            revoked_by: detail.revoked_by.map(|by| by.to_string()),
            reason: detail.reason,
            signal_id: detail.signal_id.map(|id| id.to_string()),
            waitpoint_id: detail.waitpoint_id.map(|id| id.to_string()),
            source_identity: detail.source_identity,
            tag: detail.tag,
            value: detail.value,
            priority_before: detail.priority_before,
            priority: detail.priority,
            worker_id: detail.worker_id,
        };
        match fact {
            EventFact::Completion(outcome) => shown.outcome = Some(outcome.to_string()),
            EventFact::Flow(FlowFact::Ended(outcome)) => shown.outcome = outcome,
            EventFact::Lease(
                LeaseFact::Expired(_) | LeaseFact::Released(_) | LeaseFact::Revoked(_),
            ) => shown.prev_owner = holder,
            EventFact::Lease(LeaseFact::Reclaimed) => {
                shown.new_lease_id = lease_id;
                shown.new_owner = holder;
            }
            _ => {}
        }
        shown
    }
}
