//! `GET /v1/executions`: a page of executions, the last created or finished first.

use std::fmt;
use std::str::FromStr;

use axum::extract::State;
use engine::{ListFilter, ListPage, ListPlace, TimeRange};
use model::{ExecutionId, Invalid, Limits, Moment, PublicState};
use time::OffsetDateTime;

use crate::api::ExecutionPage;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging, Position, PositionError, not_of_this_list};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace};

/// Which executions are listed: those for which every filter given holds.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// In this public state, or in one of several, separated by commas
    #[param(value_type = Option<String>)]
    state: Vec<PublicState>,
    /// Only executions of this kind.
    kind: Option<String>,
    /// Only executions in this lane.
    lane: Option<String>,
    /// With this label, `owner.name:value`
    #[param(value_type = Option<String>)]
    tag: Option<(String, String)>,
    /// Whose creator gave this name
    creator: Option<String>,
    /// Created at this time or later. An execution whose id its caller made is found only if the id has the time of its creation
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<Moment>,
    /// Created before this time
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<Moment>,
    /// Finished at this time or later. With a range of ends the list is ordered by them, unless a label is given
    #[param(value_type = Option<String>, format = DateTime)]
    finished_after: Option<Moment>,
    /// Finished before this time
    #[param(value_type = Option<String>, format = DateTime)]
    finished_before: Option<Moment>,
}

impl FromQuery for Filters {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let state = given.values("state")?;
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
        let creator = given.text("creator")?;
        let creator_bytes = creator.as_deref().map_or(0, str::len);
        model::check_range("creator", creator_bytes, 0..=Limits::ACTOR_BYTES_MAX)?;
        Ok(Self {
            state,
            kind,
            lane,
            tag: tags.pop(),
            creator,
            created_after: given.value("created_after")?,
            created_before: given.value("created_before")?,
            finished_after: given.value("finished_after")?,
            finished_before: given.value("finished_before")?,
        })
    }
}

impl Filters {
    fn within(&self, namespace: &InNamespace) -> ListFilter {
        ListFilter {
            namespace: namespace.namespace.clone(),
            states: self.state.clone(),
            kind: self.kind.clone(),
            lane: self.lane.clone(),
            tag: self.tag.clone(),
            creator: self.creator.clone(),
            created: TimeRange {
                from: self.created_after,
                before: self.created_before,
            },
            finished: TimeRange {
                from: self.finished_after,
                before: self.finished_before,
            },
        }
    }
}

/// A place in the list, as cursors hold it.
#[derive(Debug, Clone, Copy)]
pub struct Place(ListPlace);

impl fmt::Display for Place {
    /// The id, or a [`Position`] if the list is ordered by ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.finished_at {
            Some(at) => Position(at, self.0.id).fmt(f),
            None => self.0.id.fmt(f),
        }
    }
}

impl FromStr for Place {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let place = if text.contains('.') {
            let (at, id): (OffsetDateTime, ExecutionId) = text.parse::<Position>()?.into();
            ListPlace {
                finished_at: Some(at),
                id,
            }
        } else {
            ListPlace::of_id(text.parse().map_err(|_| PositionError)?)
        };
        Ok(Self(place))
    }
}

/// Lists executions, the last created first, or the last finished.
///
/// Every filter given must hold. `next_cursor` is what to pass as `after` for the next
/// page, and null if nothing follows. A page that is not full although more may follow
/// says in `examined` at how many executions the host looked for it: filters without an
/// index of their own are looked for among so many executions at a time.
#[utoipa::path(
    get, path = "/v1/executions", tag = "executions",
    params(InNamespace, Filters, Paging),
    responses((status = 200, body = ExecutionPage))
)]
pub async fn list(
    State(app): State<App>,
    list: ListRequest<(InNamespace, Filters), Place>,
) -> Answer<ExecutionPage> {
    let (namespace, filters) = &list.filter;
    let filter = filters.within(namespace);
    filter.check()?;
    let after = list.after.map(|place| place.0);
    if after.is_some_and(|after| after.order() != filter.order()) {
        return Err(not_of_this_list());
    }
    let page = ListPage {
        after,
        limit: list.limit,
    };
    let listed = app.engine.list(filter, page).await?;
    Ok(Json(ExecutionPage::new(listed, |place| {
        list.cursor(Place(*place))
    })))
}
