//! What operators do to a flow: cancel it, and change its labels.

use std::time::Duration;

use axum::extract::State;
use model::{Limits, check_range};

use super::get::existing;
use crate::api::{
    CancelFlow, CancelledFlow, FlowCancelStatus, SetFlowTags, TIMEOUT_MS_MAX, TagsSet,
};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::{Body, OptionalBody};
use crate::http::path::{IdOfFlow, OfFlow};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace, Query};

/// How long a caller waits until members have ended.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Longest to wait until the members have ended, in milliseconds, 0 to 60000; 0 when absent
    wait_ms: Option<u64>,
}

impl FromQuery for Wait {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let wait_ms = given.value("wait_ms")?;
        if let Some(wait_ms) = wait_ms {
            check_range("wait_ms", wait_ms, 0..=TIMEOUT_MS_MAX)?;
        }
        Ok(Self { wait_ms })
    }
}

/// Cancels a flow: it takes no new members, and those that the policy names are cancelled.
///
/// Members that have ended are not touched. Members that were not waited for are cancelled
/// also if this host ends. Cancelling again changes nothing and tells the policy and the
/// reason of the first time.
#[utoipa::path(
    post, path = "/v1/flows/{id}/cancel", tag = "flows",
    params(OfFlow, InNamespace, Wait),
    request_body(content = Option<CancelFlow>, content_type = "application/json"),
    responses((status = 200, body = CancelledFlow))
)]
pub async fn cancel(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    caller: Caller,
    Query((InNamespace { namespace }, Wait { wait_ms })): Query<(InNamespace, Wait)>,
    OptionalBody(request): OptionalBody<CancelFlow>,
) -> Answer<CancelledFlow> {
    let wait_ms = wait_ms.filter(|wait_ms| *wait_ms > 0);
    let cancel = engine::CancelFlow {
        id,
        namespace,
        reason: request.reason,
        policy: request.cancellation_policy,
        actor: caller.actor(request.actor.as_deref())?,
        wait: wait_ms.map(Duration::from_millis),
    };
    let cancelled = app.engine.cancel_flow(cancel).await?;
    let status = if cancelled.already {
        FlowCancelStatus::AlreadyTerminal
    } else if cancelled.open.is_empty() {
        FlowCancelStatus::Cancelled
    } else if wait_ms.is_some() {
        FlowCancelStatus::PartiallyCancelled
    } else {
        FlowCancelStatus::CancellationScheduled
    };
    let (member_count, open_member_count) = (cancelled.members.len(), cancelled.open.len());
    let (mut members, mut open) = (cancelled.members, cancelled.open);
    members.truncate(Limits::PAGE_MAX as usize);
    open.truncate(Limits::PAGE_MAX as usize);
    Ok(Json(CancelledFlow {
        status,
        cancellation_policy: cancelled.policy,
        reason: cancelled.reason,
        member_count,
        member_execution_ids: members,
        open_member_count,
        open_member_execution_ids: open,
    }))
}

/// Sets and removes labels of a flow, in any state; the others stay.
#[utoipa::path(
    patch, path = "/v1/flows/{id}/tags", tag = "flows",
    params(OfFlow, InNamespace),
    request_body = SetFlowTags,
    responses((status = 200, body = TagsSet))
)]
pub async fn tags(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    Query(within): Query<InNamespace>,
    Body(request): Body<SetFlowTags>,
) -> Answer<TagsSet> {
    let tags = request.tags;
    let count = app.engine.tag_flow(id, within.name(), tags).await?;
    let tags = existing(&app, id, within.name()).await?.tags;
    Ok(Json(TagsSet { count, tags }))
}
