//! What webhooks send: bodies in JSON with a type, a time and data, as Standard Webhooks
//! recommends.

use model::{Event, EventCursor, EventDetail, ExecutionId, LeaseId};
use serde::Serialize;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

/// A message.
#[derive(Debug, Clone, Serialize)]
pub struct MessageBody<T> {
    /// What it tells: the family of an event, a dot, and its name; `webhook.missed`;
    /// `webhook.ping`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When that happened, or was found.
    #[serde(with = "rfc3339")]
    pub timestamp: OffsetDateTime,
    /// The data of this type.
    pub data: T,
}

/// An event.
#[derive(Debug, Clone, Serialize)]
pub struct EventBody {
    /// The cursor after the event, from which its family can be read on.
    pub cursor: EventCursor,
    /// The execution it happened to; null for events of workers.
    pub execution_id: Option<ExecutionId>,
    /// The namespace of the execution or the worker.
    pub namespace: Option<String>,
    /// The lane of the execution, if it is known.
    pub lane: Option<String>,
    /// The kind of the execution, if it is known.
    pub kind: Option<String>,
    /// The epoch of the execution after the event.
    pub epoch: u64,
    /// The attempt concerned, counted from zero.
    pub attempt: Option<u32>,
    /// The lease concerned, if there is one.
    pub lease_id: Option<LeaseId>,
    /// The worker instance concerned, if there is one.
    pub worker_instance_id: Option<String>,
    /// What events of this name say beside it.
    #[serde(flatten)]
    pub detail: EventDetail,
}

/// That events were removed before they were delivered.
#[derive(Debug, Clone, Serialize)]
pub struct MissedBody {
    /// The last place of the log that the receiver knows; null if it is not of this log.
    pub from: Option<String>,
    /// The last place that was removed. Every event after it follows.
    pub to: String,
}

/// That an operator tries whether a receiver is reached.
#[derive(Debug, Clone, Serialize)]
pub struct PingBody {
    /// The webhook that is tried.
    pub webhook_id: Uuid,
}

impl MessageBody<EventBody> {
    /// Tells an event of a family.
    pub fn of_event(event: &Event, family: model::EventFamily) -> Self {
        let logged = &event.logged;
        Self {
            kind: format!("{family}.{}", event.fact.name()),
            timestamp: logged.at,
            data: EventBody {
                cursor: event.cursor.clone(),
                execution_id: logged.execution_id,
                namespace: logged.namespace.clone(),
                lane: logged.lane.clone(),
                kind: logged.execution_kind.clone(),
                epoch: logged.epoch,
                attempt: logged.attempt,
                lease_id: logged.lease_id,
                worker_instance_id: logged.worker_instance_id.clone(),
                detail: event.fact.detail(),
            },
        }
    }
}
