//! Reading the event log.

use engine::{Engine, EventRequest};
use model::{Event, EventFamily, EventFilter, EventKind, EventStart, ExecutionId};
use testkit::Answered as _;

/// A request for events of a family.
pub(crate) fn of(family: EventFamily) -> EventRequest {
    EventRequest {
        family,
        filter: EventFilter::default(),
        limit: 100,
    }
}

/// Reads what there is of a request now, page by page.
pub(crate) async fn all(engine: &Engine, request: &EventRequest) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = EventStart::Beginning;
    loop {
        let page = engine.events(request, &start).await.accepted();
        events.extend(page.events);
        if !page.more {
            return events;
        }
        start = EventStart::After(page.cursor);
    }
}

/// Returns the kinds of the events of a family, in order.
pub(crate) async fn kinds(engine: &Engine, family: EventFamily) -> Vec<EventKind> {
    let events = all(engine, &of(family)).await;
    events.iter().map(kind).collect()
}

/// Returns the names of the events of a family about one execution, in order.
pub(crate) async fn names(engine: &Engine, family: EventFamily, id: ExecutionId) -> Vec<String> {
    let mut request = of(family);
    request.filter.execution_id = Some(id);
    let events = all(engine, &request).await;
    events
        .iter()
        .map(|event| event.fact.name().to_owned())
        .collect()
}

/// Returns the kind of an event, which this version knows.
pub(crate) fn kind(event: &Event) -> EventKind {
    event.logged.kind.clone().expect("a kind of this version")
}
