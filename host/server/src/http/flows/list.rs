//! `GET /v1/flows`: a page of flows, the newest first.

use axum::extract::State;
use engine::FlowFilter;
use model::{FlowId, FlowStatus, Invalid};

use crate::api::FlowSummaries;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace};

/// Which flows are listed: those for which every filter given holds.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// Only flows of this kind
    kind: Option<String>,
    /// With this status: `active`, `completed`, `failed` or `cancelled`
    #[param(value_type = Option<String>)]
    status: Option<FlowStatus>,
    /// With this label, `owner.name:value`
    #[param(value_type = Option<String>)]
    tag: Option<(String, String)>,
}

impl FromQuery for Filters {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let kind = given.text("kind")?;
        if let Some(kind) = &kind {
            model::kind_name(kind)?;
        }
        let mut tags = given.tags("tag")?;
        if tags.len() > 1 {
            return Err(Invalid::new("tag", "may be given once").into());
        }
        Ok(Self {
            kind,
            status: given.value("status")?,
            tag: tags.pop(),
        })
    }
}

/// Lists flows, the newest first.
///
/// Every filter given must hold. A page that is not full although more may follow says in
/// `examined` at how many flows the host looked for it.
#[utoipa::path(
    get, path = "/v1/flows", tag = "flows",
    params(InNamespace, Filters, Paging),
    responses((status = 200, body = FlowSummaries))
)]
pub async fn list(
    State(app): State<App>,
    list: ListRequest<(InNamespace, Filters), FlowId>,
) -> Answer<FlowSummaries> {
    let (within, filters) = &list.filter;
    let filter = FlowFilter {
        namespace: within.namespace.clone(),
        kind: filters.kind.clone(),
        status: filters.status,
        tag: filters.tag.clone(),
    };
    let flows = app.engine.flows(&filter, list.after, list.limit).await?;
    Ok(Json(FlowSummaries::new(flows, |id| list.cursor(id))))
}
