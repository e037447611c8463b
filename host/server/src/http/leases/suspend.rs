//! `/v1/leases/suspend`, `/waitpoints` and `/signals`: how a worker that is no
//! component waits for signals. Each is about one lease: the answers carry tokens,
//! states and signals.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use engine::{Binding, CreateWaitpoint, Suspend, Suspended, SuspensionTimeout};
use model::{Fence, Invalid, Moment};

use crate::api::{
    CreateLeaseWaitpoint, ObserveSignals, ObservedSignals, OpenWaitpoint, ProblemBody,
    SuspendLease, SuspendedLease, WaitpointBinding,
};
use crate::http::answer::Json;
use crate::http::leases::verbs::{invalid_handle, report};
use crate::http::payload::{Forms, STATE};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::waitpoints::list::{NO_STORE, open_shown};
use crate::http::{App, body};

/// Puts an execution down until its condition is satisfied.
///
/// The same attempt goes on then, under a new lease, with the state saved here. If
/// what came before satisfies the condition, the lease stays and the answer says
/// what to go on with. A repeat under the same lease succeeds again.
#[utoipa::path(
    post, path = "/v1/leases/suspend", tag = "leases",
    request_body = SuspendLease,
    responses(
        (status = 200, body = SuspendedLease),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn suspend(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    query.end()?;
    let bytes = app.batch_body().read(&headers, body).await?;
    let request: SuspendLease = body::json(&headers, &bytes)?;
    let fence = held(&app, &request.lease).await?;
    let suspended = app.engine.suspend(of_request(request, fence)?).await??;
    let id = fence.execution_id;
    let answer = match suspended {
        Suspended::Suspended(suspension) => SuspendedLease::Suspended {
            id,
            suspension_id: suspension.id,
            waitpoints: suspension
                .waitpoints
                .into_iter()
                .map(|open| open_shown(&app, open))
                .collect(),
            timeout_at: suspension.timeout_at,
        },
        Suspended::AlreadySatisfied(satisfied) => SuspendedLease::AlreadySatisfied {
            id,
            resumption: satisfied.into(),
        },
    };
    Ok((NO_STORE, Json(answer)))
}

fn of_request(request: SuspendLease, fence: Fence) -> Result<Suspend, Invalid> {
    let forms = Forms {
        names: STATE,
        json: request.state.as_deref(),
        text: request.state_text.as_deref(),
        base64: request.state_base64.as_deref(),
        content_type: request.content_type.as_deref(),
    };
    let state = forms.given()?;
    let timeout_at = Moment::of_field("timeout_at", request.timeout_at.as_deref())?;
    let timeout = match (request.timeout_ms, timeout_at) {
        (None, None) => None,
        (Some(ms), None) => Some(SuspensionTimeout::InMs(ms)),
        (None, Some(at)) => Some(SuspensionTimeout::At(at)),
        (Some(_), Some(_)) => {
            let detail = "only one of timeout_ms and timeout_at may be given";
            return Err(Invalid::new("timeout_ms", detail));
        }
    };
    Ok(Suspend {
        fence,
        waitpoints: request.waitpoints.into_iter().map(binding).collect(),
        condition: request.resume_condition,
        resume_policy: request.resume_policy,
        reason: request.reason_code,
        requested_by: request.requested_by,
        timeout,
        timeout_behavior: request.timeout_behavior,
        state,
        idempotency_key: request.idempotency_key,
        report: report(request.log)?,
        // Its holder has them, but need not tell the truth.
        known: None,
    })
}

fn binding(binding: WaitpointBinding) -> Binding {
    match binding {
        WaitpointBinding::Fresh {
            waitpoint_key,
            signal_names,
        } => Binding::Fresh {
            key: waitpoint_key,
            signal_names,
        },
        WaitpointBinding::UsePending { waitpoint_id } => Binding::UsePending(waitpoint_id),
        WaitpointBinding::Keyed { waitpoint_key } => Binding::Keyed(waitpoint_key),
    }
}

/// Makes a waitpoint before the execution suspends.
///
/// Its token can be sent out at once; signals that come early are kept. An open
/// waitpoint with the same key is given again, so that an attempt that is repeated
/// gets the one its signals came to.
#[utoipa::path(
    post, path = "/v1/leases/waitpoints", tag = "leases",
    request_body = CreateLeaseWaitpoint,
    responses(
        (status = 201, body = OpenWaitpoint, description = "New"),
        (status = 200, body = OpenWaitpoint, description = "Was there before"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn create_waitpoint(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: CreateLeaseWaitpoint = body::json(&headers, &bytes)?;
    let fence = held(&app, &request.lease).await?;
    let create = CreateWaitpoint {
        fence,
        key: request.waitpoint_key.unwrap_or_default(),
        expires_in_ms: request.expires_in_ms,
        signal_names: request.signal_names,
    };
    let open = app.engine.create_waitpoint(create).await??;
    let status = if open.existing {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, NO_STORE, Json(open_shown(&app, open))))
}

/// Reads the signals that satisfied the last suspension of an execution.
///
/// For those that the claim had no room for.
#[utoipa::path(
    post, path = "/v1/leases/signals", tag = "leases",
    request_body = ObserveSignals,
    responses(
        (status = 200, body = ObservedSignals),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn observe(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ObservedSignals>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: ObserveSignals = body::json(&headers, &bytes)?;
    let fence = held(&app, &request.lease).await?;
    let signals = app.engine.observe_signals(fence, request.first).await??;
    Ok(Json(ObservedSignals {
        signals: signals.into_iter().map(Into::into).collect(),
    }))
}

/// Opens a handle.
async fn held(app: &App, handle: &str) -> Result<Fence, Problem> {
    let held = app.engine.seals().await?.open_lease(handle);
    Ok(held.ok_or_else(invalid_handle)?.fence)
}
