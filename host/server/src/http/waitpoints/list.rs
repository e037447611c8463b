//! `/v1/waitpoints` and the waitpoints of an execution: where signals arrive.

use std::fmt;
use std::str::FromStr;

use axum::extract::State;
use model::{WaitpointId, WaitpointState};
use time::OffsetDateTime;

use crate::api::{PendingWaitpoints, Waitpoints};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging, Position, PositionError};
use crate::http::path::{Id, OfExecution};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace};

/// A place in the list of pending waitpoints: by the time they expire, those that
/// never do coming last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Option<OffsetDateTime>, WaitpointId);

const NEVER: &str = "never.";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => Position(at, self.1).fmt(f),
            None => write!(f, "{NEVER}{}", self.1),
        }
    }
}

impl FromStr for Place {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        match text.strip_prefix(NEVER) {
            Some(id) => Ok(Self(None, id.parse().map_err(|_| PositionError)?)),
            None => text.parse().map(|Position(at, id)| Self(Some(at), id)),
        }
    }
}

/// Lists pending waitpoints of all executions that are not finished, those that
/// expire first coming first.
///
/// The host looks at up to 5,000 of all namespaces for one page, and a page that ended there
/// before it was full says so in `examined`.
#[utoipa::path(
    get, path = "/v1/waitpoints", tag = "waitpoints",
    params(InNamespace, Paging),
    responses((status = 200, body = PendingWaitpoints))
)]
pub async fn pending(
    app: State<App>,
    list: ListRequest<InNamespace, Place>,
) -> Answer<PendingWaitpoints> {
    let after = list.after.map(|Place(at, id)| (at, id));
    let namespace = list.filter.name();
    let found = app
        .engine
        .pending_waitpoints(namespace, after, list.limit)
        .await?;
    Ok(Json(PendingWaitpoints::new(found, |(at, id)| {
        list.cursor(Place(*at, *id))
    })))
}

/// Which waitpoints of an execution are listed.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InState {
    /// Only those that are `pending`, `active`, `closed` or `expired`; all when absent
    #[param(value_type = Option<String>)]
    state: Option<WaitpointState>,
}

impl FromQuery for InState {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let state = given.value("state")?;
        Ok(Self { state })
    }
}

/// Lists the waitpoints of an execution in the order of their ids, in which they were
/// created.
///
/// The host looks at up to 5,000 in all states for one page, and a page that ended there
/// before it was full says so in `examined`.
#[utoipa::path(
    get, path = "/v1/executions/{id}/waitpoints", tag = "waitpoints",
    params(OfExecution, InNamespace, InState, Paging),
    responses((status = 200, body = Waitpoints))
)]
pub async fn list(
    app: State<App>,
    Id(id): Id,
    list: ListRequest<(InNamespace, InState), WaitpointId>,
) -> Answer<Waitpoints> {
    let (within, InState { state }) = &list.filter;
    let engine = &app.engine;
    let found = engine.waitpoints(id, within.name(), *state, list.after, list.limit);
    let found = found.await?.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Waitpoints::new(found, |last| list.cursor(last))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_with_and_without_an_end() {
        let id = "0b5f4c1e-8d3a-4f60-9a51-3f6f0f6f2a11"
            .parse()
            .expect("an id");
        for place in [Place(None, id), Place(Some(OffsetDateTime::UNIX_EPOCH), id)] {
            assert_eq!(place.to_string().parse().ok(), Some(place));
        }
        for wrong in ["never.", "never.1", "1.never", ""] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
