//! Reads the log for a webhook: what to send next.

use std::time::Duration;

use model::{EventCursor, EventPlace, EventStart, EventsRefusal, Limits};
use sha2::{Digest as _, Sha256};

use super::WebhookTurn;
use crate::event::{EventPage, EventRequest};
use crate::{Declined, Engine, Error};

/// Bytes of the hash that an id of a message shows.
const ID_BYTES: usize = 16;

/// What is next for a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEvents {
    /// These events, which may be none, and then the cursor of the page.
    Page(EventPage),
    /// Events after its cursor are not kept any more. The receiver is told so, and the
    /// webhook continues at `to`.
    Missed {
        /// The last place that the receiver knows; absent if the cursor is not of this log,
        /// as after a restoration.
        from: Option<EventPlace>,
        /// The last place that was removed: every event after it is kept.
        until: EventPlace,
        /// The cursor of that place.
        to: EventCursor,
    },
}

impl Engine {
    /// Reads up to `limit` events for a webhook after a cursor, and waits for some if there
    /// are none, for `wait` at most. No connection to the database is held while it waits.
    pub async fn webhook_events(
        &self,
        turn: &WebhookTurn,
        after: &EventCursor,
        limit: u32,
        wait: Duration,
    ) -> Result<WebhookEvents, Error> {
        let webhook = &turn.webhook;
        let filter = webhook.filter.within(webhook.namespace.as_deref());
        let filter =
            filter.map_err(|error| Error::corrupt("webhook", "filter", webhook.id, error))?;
        let request = EventRequest {
            family: webhook.family,
            filter,
            limit: limit.clamp(1, Limits::PAGE_MAX),
        };
        let start = EventStart::After(after.clone());
        let (from, until) = match self.await_events(&request, &start, wait).await {
            Ok(page) => return Ok(WebhookEvents::Page(page)),
            Err(Declined::Refused(EventsRefusal::CursorTooOld { after, floor })) => {
                (Some(after), floor)
            }
            Err(Declined::Refused(EventsRefusal::InvalidCursor { .. })) => {
                (None, EventPlace::START)
            }
            Err(Declined::Refused(refusal)) => {
                return Err(Error::corrupt("webhook", "filter", webhook.id, refusal));
            }
            Err(Declined::Fault(fault)) => return Err(fault),
        };
        let to = self.event_cursor(webhook.family, until);
        Ok(WebhookEvents::Missed { from, until, to })
    }

    /// Returns the id of the message about what comes up to a place of the log, which is the
    /// same in every try, on every host. `what` tells two messages about one place apart.
    pub fn webhook_message_id(&self, turn: &WebhookTurn, what: &str, place: EventPlace) -> String {
        let instance = self.instance();
        let mut hash = Sha256::new();
        let of = format!("{}\0{}\0{what}\0{place}", instance.id, instance.generation);
        hash.update(turn.webhook.id.as_bytes());
        hash.update(of.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        format!("msg_{}", hex::encode(&digest[..ID_BYTES]))
    }
}
