//! What webhooks send: bodies in JSON with a type, a time and data, as Standard Webhooks
//! recommends.

use model::EventFamily;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use crate::api::Event;

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

/// That events were removed before they were delivered.
#[derive(Debug, Clone, Serialize)]
pub struct MissedBody {
    /// The last place of the log that the receiver knows; null if it is not of this log, and
    /// for a webhook of one namespace.
    pub from: Option<String>,
    /// The last place that was removed; null for a webhook of one namespace. Every event
    /// after it follows.
    pub to: Option<String>,
}

/// That an operator tries whether a receiver is reached.
#[derive(Debug, Clone, Serialize)]
pub struct PingBody {
    /// The webhook that is tried.
    pub webhook_id: Uuid,
}

impl MessageBody<Value> {
    /// Tells an event of a family, in the shape that readers of the family get, but for its
    /// cursor: the place of an event tells how much happens in namespaces of others.
    pub fn of_event(event: &model::Event, family: EventFamily) -> Self {
        let shown = Event::new(family, String::new(), event.clone());
        let kind = format!("{family}.{}", shown.event);
        let mut data = serde_json::to_value(shown).expect("invariant: events are JSON");
        if let Some(members) = data.as_object_mut() {
            members.remove("cursor");
        }
        Self {
            kind,
            timestamp: event.logged.at,
            data,
        }
    }
}
