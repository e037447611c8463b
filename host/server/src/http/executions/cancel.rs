//! `POST /v1/executions/{id}/cancel`: ends an execution, also one that runs.

use axum::extract::State;
use engine::{Cancel, CancelHeld, Report};
use model::{CancelSource, ExecutionId, Fence, Invalid, PublicState, ensure};

use crate::api::{CancelExecution, CancelledExecution, EPOCH_MAX};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::operator::{OperatorRequest, existing};
use crate::http::path::OfExecution;
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
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<CancelExecution>,
) -> Answer<CancelledExecution> {
    let source = match &request.source {
        None => CancelSource::default(),
        Some(text) => CancelSource::of_caller(text)?,
    };
    let id = operate.id;
    let fence = fence(id, &source, &request)?;
    if let Some(fence) = fence {
        existing(&app, id, operate.namespace.as_deref()).await?;
        let cancel = CancelHeld {
            fence,
            reason: operate.by.reason.unwrap_or_default(),
            report: Report::default(),
        };
        app.engine.cancel_held(cancel).await?;
        return Ok(Json(CancelledExecution {
            id,
            public_state: PublicState::Cancelled,
            was_active: true,
            already: false,
        }));
    }
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

/// Reads the lease under which a holder cancels; absent for everybody else.
///
/// # Errors
/// The holder does not name it whole, or one who is none names it.
fn fence(
    execution_id: ExecutionId,
    source: &CancelSource,
    request: &CancelExecution,
) -> Result<Option<Fence>, Invalid> {
    let given = (request.lease_id, request.epoch, request.attempt);
    match (source, given) {
        (CancelSource::LeaseHolder, (Some(lease_id), Some(epoch), Some(attempt))) => {
            ensure("epoch", epoch <= EPOCH_MAX, || {
                format!("must be at most {EPOCH_MAX}")
            })?;
            Ok(Some(Fence {
                execution_id,
                lease_id,
                epoch,
                attempt,
            }))
        }
        (CancelSource::LeaseHolder, _) => {
            let detail = "`lease_holder` cancels under its lease: give lease_id, epoch and attempt";
            Err(Invalid::new("source", detail))
        }
        (_, (None, None, None)) => Ok(None),
        _ => {
            let detail = "is given without source: lease_holder, which it is about";
            Err(Invalid::new("lease_id", detail))
        }
    }
}
