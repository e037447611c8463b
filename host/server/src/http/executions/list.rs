//! `GET /v1/executions`: a page of executions, newest first.

use axum::extract::State;
use engine::{ListFilter, ListPage};
use model::{ExecutionId, Invalid, PublicState};

use crate::api::ExecutionPage;
use crate::http::App;
use crate::http::answer::Json;
use crate::http::page::{ListRequest, Paging};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace};

/// Which executions are listed: those for which every filter given holds.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// In this public state
    #[param(value_type = Option<String>)]
    state: Option<PublicState>,
    /// Only executions of this kind.
    kind: Option<String>,
    /// Only executions in this lane.
    lane: Option<String>,
    /// With this label, `owner.name:value`
    #[param(value_type = Option<String>)]
    tag: Option<(String, String)>,
}

impl FromQuery for Filters {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let state = given.value("state")?;
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
            state,
            kind,
            lane,
            tag: tags.pop(),
        })
    }
}

/// Lists executions, newest first.
///
/// Every filter given must hold. A page that is full names the cursor to pass as
/// `after` for the next one.
#[utoipa::path(
    get, path = "/v1/executions", tag = "executions",
    params(InNamespace, Filters, Paging),
    responses((status = 200, body = ExecutionPage))
)]
pub async fn list(
    State(app): State<App>,
    mut list: ListRequest<(InNamespace, Filters), ExecutionId>,
) -> Result<Json<ExecutionPage>, Problem> {
    let page = ListPage {
        after: list.after,
        limit: list.limit,
    };
    let (within, filters) = &mut list.filter;
    let filter = ListFilter {
        namespace: within.namespace.take(),
        state: filters.state,
        kind: filters.kind.take(),
        lane: filters.lane.take(),
        tag: filters.tag.take(),
    };
    let executions = app.engine.list(filter, page).await?;
    Ok(Json(ExecutionPage::new(executions, |id| list.cursor(id))))
}
