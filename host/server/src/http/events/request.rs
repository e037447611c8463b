//! What a reader asks for: a family, which events of it, from where on, and how long it
//! waits for some.

use std::time::Duration;

use axum::http::HeaderMap;
use model::{EventFamily, EventFilter, ExecutionId, FlowId, Invalid, check_range};

use crate::api::WAIT_MS_MAX;
use crate::http::problem::{Code, Problem};
use crate::http::query::{FromQuery, Given, InNamespace};
use crate::http::sse::{LAST_EVENT_ID, last_event_id};

/// Name of the parameter that holds a cursor.
const AFTER: &str = "after";
/// What stands for the oldest event that is kept.
const BEGINNING: &str = "beginning";

/// Which events are read: those for which every filter given holds.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// Of executions of this kind
    kind: Option<String>,
    /// Of executions in this lane
    lane: Option<String>,
    /// Of the execution with this id
    #[param(value_type = Option<String>)]
    execution_id: Option<ExecutionId>,
    /// Of members of this flow
    #[param(value_type = Option<String>)]
    flow_id: Option<FlowId>,
    /// Of executions with this label, `owner.name:value`, when the event is read
    #[param(value_type = Option<String>)]
    tag: Option<(String, String)>,
}

impl FromQuery for Filters {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let kind = given.text("kind")?;
        if let Some(kind) = &kind {
            model::kind_name(kind)?;
        }
        let lane = given.text("lane")?;
        if let Some(lane) = &lane {
            model::lane_name(lane)?;
        }
        let mut tags = given.tags("tag")?;
        if tags.len() > 1 {
            return Err(Invalid::new("tag", "may be given once").into());
        }
        Ok(Self {
            kind,
            lane,
            execution_id: given.value("execution_id")?,
            flow_id: given.value("flow_id")?,
            tag: tags.pop(),
        })
    }
}

impl Filters {
    /// Returns them within the namespace of the request.
    pub fn within(self, namespace: InNamespace) -> EventFilter {
        EventFilter {
            namespace: namespace.namespace,
            kind: self.kind,
            lane: self.lane,
            execution_id: self.execution_id,
            flow_id: self.flow_id,
            tag: self.tag,
        }
    }
}

/// Where a read begins, how much it returns, and how long it waits.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Reading {
    /// The `cursor` of the page, or of the event, before; `beginning` for the oldest event
    /// that is kept; from now on when absent or empty
    after: Option<String>,
    /// Most events of a page, 1 to 1000; 50 when absent
    #[param(value_type = Option<u32>)]
    limit: u32,
    /// Longest to wait for an event while there is none, 0 to 30000; 0 when absent. A stream
    /// waits without end
    #[param(value_type = Option<u32>)]
    wait_ms: u32,
}

impl FromQuery for Reading {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let wait_ms = given.value("wait_ms")?.unwrap_or(0);
        check_range("wait_ms", wait_ms, 0..=WAIT_MS_MAX)?;
        Ok(Self {
            after: given.text(AFTER)?.filter(|cursor| !cursor.is_empty()),
            limit: given.limit()?,
            wait_ms,
        })
    }
}

/// From where on a reader wants events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// From now on.
    Now,
    /// From the oldest event that is kept.
    Beginning,
    /// After this cursor, which was sent in the parameter or header of that name.
    After(&'static str, String),
}

impl Reading {
    /// Returns from where on to read: after the event that a browser saw last, if it says so.
    ///
    /// # Errors
    /// The header is given more than once.
    pub fn from(&self, headers: &HeaderMap) -> Result<From, Problem> {
        Ok(match (last_event_id(headers)?, &self.after) {
            (Some(last), _) => From::After(LAST_EVENT_ID, last),
            (None, None) => From::Now,
            (None, Some(after)) if after == BEGINNING => From::Beginning,
            (None, Some(after)) => From::After(AFTER, after.clone()),
        })
    }

    /// Returns the most events of a page.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns how long to wait.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms.into())
    }
}

/// Reads the family in the path.
///
/// # Errors
/// There is none of that name.
pub fn family(name: &str) -> Result<EventFamily, Problem> {
    let unknown = |error: model::UnknownName| Problem::new(Code::InvalidId, error.to_string());
    name.parse().map_err(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_that_was_seen_last_beats_the_cursor_of_the_query() {
        let reading = |after: Option<&str>| Reading {
            after: after.map(str::to_owned),
            limit: 1,
            wait_ms: 0,
        };
        let mut headers = HeaderMap::new();
        assert_eq!(reading(None).from(&headers), Ok(From::Now));
        assert_eq!(
            reading(Some("beginning")).from(&headers),
            Ok(From::Beginning)
        );
        let after = From::After(AFTER, "c".to_owned());
        assert_eq!(reading(Some("c")).from(&headers), Ok(after.clone()));
        headers.append(LAST_EVENT_ID, "".parse().expect("a value"));
        assert_eq!(reading(Some("c")).from(&headers), Ok(after));
        headers.insert(LAST_EVENT_ID, "d".parse().expect("a value"));
        let last = From::After(LAST_EVENT_ID, "d".to_owned());
        assert_eq!(reading(Some("c")).from(&headers), Ok(last));
        headers.append(LAST_EVENT_ID, "e".parse().expect("a value"));
        assert!(reading(None).from(&headers).is_err());
    }
}
