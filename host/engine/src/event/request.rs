//! What a reader of the log asks for, and what it gets.

use model::{
    Event, EventCursor, EventFamily, EventFilter, EventPlace, EventStart, EventsRefusal, ListScope,
    LoggedEvent,
};

use crate::Engine;

/// A request for events of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRequest {
    /// The family that is read.
    pub family: EventFamily,
    /// Which of its events are wanted.
    pub filter: EventFilter,
    /// Most events, 1 to 1000.
    pub limit: u32,
}

/// Events of a family, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Where the next read begins. It moves past events that the filter leaves out, so it
    /// may differ from that of the last event.
    pub cursor: EventCursor,
    /// Whether there may be more events to read now.
    pub more: bool,
}

impl Engine {
    /// Returns the cursor of a place for a family.
    pub(crate) fn event_cursor(&self, family: EventFamily, place: EventPlace) -> EventCursor {
        EventCursor(self.event_scope(family).cursor(&place.to_string()))
    }

    /// Returns the place of a cursor of this family.
    pub(super) fn event_place(
        &self,
        family: EventFamily,
        cursor: &EventCursor,
    ) -> Result<EventPlace, EventsRefusal> {
        let place = self.event_scope(family).place(&cursor.0).ok();
        place
            .and_then(|place| place.parse().ok())
            .ok_or(EventsRefusal::InvalidCursor { family })
    }

    fn event_scope(&self, family: EventFamily) -> ListScope {
        let instance = self.instance();
        let of = format!("events/{family}");
        // Its number of partitions changes nothing in the log.
        ListScope::new(instance.id, instance.generation, 0, &of, &[])
    }

    /// Returns an event as subscribers of its family see it.
    pub(super) fn shown(&self, family: EventFamily, logged: &LoggedEvent) -> Option<Event> {
        Some(Event {
            fact: logged.fact(family)?,
            cursor: self.event_cursor(family, logged.place),
            logged: logged.clone(),
        })
    }

    /// Checks where a reader begins, before it reads.
    ///
    /// # Refusals
    /// [`EventsRefusal::InvalidCursor`]: not a cursor of this family, instance and
    /// generation.
    pub(super) fn starts_after(
        &self,
        family: EventFamily,
        start: &EventStart,
    ) -> Result<Option<EventPlace>, EventsRefusal> {
        match start {
            EventStart::Now => Ok(None),
            EventStart::Beginning => Ok(Some(EventPlace::START)),
            EventStart::After(cursor) => self.event_place(family, cursor).map(Some),
        }
    }
}
