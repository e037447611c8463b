//! The interface `events`: what happens to executions, for a service.
//!
//! A service reads the events of the kinds that are routed to it, whose executions it sees
//! anyway, and those of the namespace it acts in. Both are checked with each read. Cursors
//! are sealed, since a place tells how much happens on the whole instance.

use std::sync::Arc;
use std::time::Duration;

use engine::EventRequest;
use model::{
    EventCursor, EventFamily, EventFilter, EventStart, EventsRefusal, Invalid, check_range,
};
use tokio::sync::oneshot;
use wasmtime::component::Resource;

use super::bindings::service::flowhost::engine::events::{
    EventsError, Family, Host, HostReader, Page, Scope, Start,
};
use super::convert::said;
use super::convert::{Bounds, check_label, event, event_family, events_bytes, text_bytes};
use super::setters::setters;
use super::store::{Caller, HostResource};
use super::{EventsCallError, Role, ServiceHost, State};

/// Longest a guest may wait for events in one call, in milliseconds.
const WAIT_MS_MAX: u32 = 30_000;
/// Most events of one page.
const PAGE_MAX: u32 = 256;
/// What the sandbox is charged for each event that it asks for, before it is known how
/// large they are: more than most have.
const EVENT_BYTES: usize = 1024;

/// What a guest reads of the events: a family, whose, and which.
pub struct EventReader {
    family: EventFamily,
    scope: Scope,
    filter: EventFilter,
    bounds: Bounds,
}

impl HostResource for EventReader {
    fn owned_bytes(&self) -> usize {
        let tag = self.filter.tag.as_ref();
        scope_bytes(&self.scope)
            + text_bytes(self.filter.kind.as_ref())
            + text_bytes(self.filter.lane.as_ref())
            + tag.map_or(0, |(key, value)| key.len() + value.len())
            + self.bounds.owned_bytes()
    }
}

fn scope_bytes(scope: &Scope) -> usize {
    match scope {
        Scope::Kind(kind) => kind.len(),
        Scope::OwnNamespace => 0,
    }
}

impl Host for State {
    fn convert_events_error(&mut self, error: EventsCallError) -> wasmtime::Result<EventsError> {
        error.refused()
    }
}

impl HostReader for State {
    fn new(&mut self, family: Family, scope: Scope) -> wasmtime::Result<Resource<EventReader>> {
        self.count_call(scope_bytes(&scope))?;
        let mut bounds = Bounds::default();
        let scope = match scope {
            Scope::Kind(kind) => {
                let checked = model::kind_name(&kind).map(|()| kind);
                Scope::Kind(bounds.keep(checked).unwrap_or_default())
            }
            Scope::OwnNamespace => scope,
        };
        self.push(EventReader {
            family: event_family(family),
            scope,
            filter: EventFilter::default(),
            bounds,
        })
    }

    setters! { EventReader:
        set_kind(kind: String, kind.len()) reader => {
            let checked = model::kind_name(&kind).map(|()| kind);
            reader.filter.kind = reader.bounds.keep(checked);
        };
        set_lane(lane: String, lane.len()) reader => {
            let checked = model::lane_name(&lane).map(|()| lane);
            reader.filter.lane = reader.bounds.keep(checked);
        };
        set_execution(id: String, id.len()) reader => {
            let read = id.parse().map_err(|error: model::IdError| {
                Invalid::new("execution_id", error.to_string())
            });
            reader.filter.execution_id = reader.bounds.keep(read);
        };
        set_flow(id: String, id.len()) reader => {
            let read = id.parse().map_err(|error: model::IdError| {
                Invalid::new("flow_id", error.to_string())
            });
            reader.filter.flow_id = reader.bounds.keep(read);
        };
    }

    fn set_tag(
        &mut self,
        reader: Resource<EventReader>,
        key: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.count_call(key.len() + value.len())?;
        self.change(&reader, |reader| {
            let checked = check_label(&key, &value).map(|()| (key, value));
            reader.filter.tag = reader.bounds.keep(checked);
        })
    }

    async fn read(
        &mut self,
        reader: Resource<EventReader>,
        after: Start,
        max: u32,
        max_wait_ms: u32,
    ) -> Result<Page, EventsCallError> {
        self.count_call(match &after {
            Start::After(cursor) => cursor.len(),
            Start::Now | Start::Beginning => 0,
        })?;
        check_range("max", max, 1..=PAGE_MAX)?;
        check_range("max_wait_ms", max_wait_ms, 0..=WAIT_MS_MAX)?;
        let (Role::Service(service), Some(backend)) = (self.role.clone(), self.engine()) else {
            let why = "a handler reads no events: they are for services";
            return Err(Invalid::new("read", why).into());
        };
        let request = EventRequest {
            family: self.get(&reader)?.family,
            filter: self.filter(&service, &reader)?,
            limit: max,
        };
        let wait = Duration::from_millis(u64::from(max_wait_ms));
        let carries = max as usize * EVENT_BYTES;
        // Dropped with this call, so that nothing waits for a guest that was stopped.
        let (_waits, gone) = oneshot::channel::<()>();
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            let seal = engine.cursor_seal().await?;
            let start = match after {
                Start::Now => EventStart::Now,
                Start::Beginning => EventStart::Beginning,
                Start::After(sealed) => {
                    let opened = seal.open(&sealed).unwrap_or_default();
                    EventStart::After(EventCursor(opened))
                }
            };
            let read = async {
                if wait.is_zero() {
                    return engine.events(&request, &start).await;
                }
                tokio::select! {
                    page = engine.await_events(&request, &start, wait) => page,
                    () = service.told_to_end() => engine.events(&request, &start).await,
                }
            };
            let page = tokio::select! {
                page = read => page,
                _ = gone => return Ok(Err(EventsError::Unavailable("the guest was stopped".into()))),
            };
            let page = match page {
                Ok(page) => page,
                Err(declined) => return Ok(Err(refusal(declined.refusal()?))),
            };
            let shown = |of: model::Event| {
                let cursor = seal.seal(&of.cursor.0);
                event(of, cursor)
            };
            Ok::<_, engine::Error>(Ok(Page {
                cursor: seal.seal(&page.cursor.0),
                more: page.more,
                events: page.events.into_iter().filter_map(shown).collect(),
            }))
        });
        let page = answer.await???;
        self.charge_answer(page.cursor.len() + events_bytes(&page.events))?;
        Ok(page)
    }

    fn drop(&mut self, reader: Resource<EventReader>) -> wasmtime::Result<()> {
        self.delete(reader)?;
        Ok(())
    }
}

impl State {
    /// Returns which events a reader is to find, if the service may read them now.
    fn filter(
        &self,
        service: &Arc<dyn ServiceHost>,
        reader: &Resource<EventReader>,
    ) -> Result<EventFilter, EventsCallError> {
        let reader = self.get(reader)?;
        reader.bounds.check()?;
        let mut filter = reader.filter.clone();
        match &reader.scope {
            Scope::Kind(kind) => {
                if !service.serves(kind) {
                    return Err(EventsError::KindNotRouted(kind.clone()).into());
                }
                if filter.kind.get_or_insert_with(|| kind.clone()) != kind {
                    let why = format!("the reader reads the kind `{kind}` alone");
                    return Err(Invalid::new("kind", why).into());
                }
            }
            Scope::OwnNamespace => {
                let Caller { namespace, .. } = self.role.caller()?;
                filter.namespace = Some(namespace);
            }
        }
        Ok(filter)
    }
}

fn refusal(refusal: EventsRefusal) -> EventsError {
    match refusal {
        EventsRefusal::InvalidCursor { .. } => EventsError::InvalidCursor,
        EventsRefusal::CursorTooOld { .. } => EventsError::CursorTooOld,
        EventsRefusal::Invalid(invalid) => EventsError::Invalid(said(&invalid)),
    }
}
