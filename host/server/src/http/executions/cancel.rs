//! `POST /v1/executions/{id}/cancel`: ends an execution, also one that runs.

use axum::extract::State;
use engine::Cancel;
use model::{CancelSource, PublicState};

use crate::api::{CancelExecution, CancelledExecution};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::operator::OperatorRequest;
use crate::http::path::OfExecution;
use crate::http::problem::Problem;
use crate::http::query::InNamespace;

/// Cancels an execution.
///
/// One that runs loses its lease immediately. Cancelling again changes nothing and
/// succeeds; an execution that ended some other way is refused.
#[utoipa::path(
    post, path = "/v1/executions/{id}/cancel", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<CancelExecution>, content_type = "application/json"),
    responses((status = 200, body = CancelledExecution))
)]
pub async fn cancel(
    State(app): State<App>,
    OperatorRequest { operate, request }: OperatorRequest<CancelExecution>,
) -> Result<Json<CancelledExecution>, Problem> {
    let source = match &request.source {
        None => CancelSource::default(),
        Some(text) => CancelSource::of_caller(text)?,
    };
    let id = operate.id;
    let cancel = Cancel {
        id,
        namespace: operate.namespace,
        reason: operate.by.reason,
        source,
        actor: Some(operate.by.actor),
    };
    let cancelled = app.engine.cancel(cancel).await?;
    Ok(Json(CancelledExecution {
        id,
        public_state: PublicState::Cancelled,
        was_active: cancelled.was_active,
        already: cancelled.already,
    }))
}
