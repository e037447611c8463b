//! `GET /v1/executions`: a page of executions, newest first.

use axum::extract::State;
use engine::{ListFilter, ListPage};
use model::{ExecutionId, Invalid, PublicState};

use crate::api::ExecutionPage;
use crate::http::App;
use crate::http::answer::Json;
use crate::http::page::List;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists executions, newest first.
///
/// Every filter given must hold. A page that is full names the cursor to pass as
/// `after` for the next one.
#[utoipa::path(
    get, path = "/v1/executions", tag = "executions",
    params(
        ("namespace" = Option<String>, Query, description = "In this namespace"),
        ("state" = Option<String>, Query, description = "In this public state"),
        ("kind" = Option<String>, Query, description = "Of this kind"),
        ("lane" = Option<String>, Query, description = "In this lane"),
        ("tag" = Option<String>, Query, description = "With this label, `owner.name:value`"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = ExecutionPage),
        (status = "default", body = crate::api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    list: List,
    mut query: Query,
) -> Result<Json<ExecutionPage>, Problem> {
    let namespace = query.namespace()?;
    let state: Option<PublicState> = query.value("state")?;
    let kind = query.text("kind")?;
    if let Some(kind) = &kind {
        model::kind_name(kind)?;
    }
    let lane = query.text("lane")?;
    if let Some(lane) = &lane {
        model::lane_name(lane)?;
    }
    let mut tags = query.tags("tag")?;
    if tags.len() > 1 {
        return Err(Invalid::new("tag", "may be given once").into());
    }
    let tag = tags.pop();
    let limit = query.limit()?;
    let after: Option<ExecutionId> = list.after(&mut query)?;
    query.end()?;
    let filter = ListFilter {
        namespace,
        state,
        kind,
        lane,
        tag,
    };
    let executions = app.engine.list(filter, ListPage { after, limit }).await?;
    Ok(Json(ExecutionPage::new(executions, |id| list.cursor(id))))
}
