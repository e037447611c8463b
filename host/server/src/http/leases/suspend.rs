//! `/v1/leases/suspend`, `/waitpoints` and `/signals`: how a worker outside this host
//! waits for signals. Each is about one lease: the answers carry tokens, states and
//! signals.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use engine::{Binding, CreateWaitpoint, Suspend, Suspended, SuspensionTimeout};
use model::{Fence, Invalid, Moment};

use super::verbs::{self, report};
use crate::api::{
    CreateLeaseWaitpoint, ObserveSignals, ObservedSignals, OpenWaitpoint, SuspendLease,
    SuspendedLease, WaitpointBinding,
};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::payload::{PayloadFields, STATE};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::http::waitpoints::operate::{NO_STORE, open_shown};

/// Suspends an execution until its condition is satisfied.
///
/// The same attempt resumes then, under a new lease, with the state saved here. If
/// earlier signals satisfy the condition, the lease stays and the answer says what to
/// resume with. A repeat under the same lease succeeds again.
#[utoipa::path(
    post, path = "/v1/leases/suspend", tag = "leases",
    request_body = SuspendLease,
    responses((status = 200, body = SuspendedLease))
)]
pub async fn suspend(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<SuspendLease>,
) -> Result<impl IntoResponse, Problem> {
    let fence = held(&app, &caller, &request.lease).await?;
    let suspended = app.engine.suspend(of_request(request, fence)?).await?;
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
            resumption: satisfied.resumption.into(),
            waitpoints: satisfied.waitpoints.into_iter().map(Into::into).collect(),
        },
    };
    Ok((NO_STORE, Json(answer)))
}

fn of_request(request: SuspendLease, fence: Fence) -> Result<Suspend, Invalid> {
    let fields = PayloadFields::new(
        STATE,
        &request.state,
        &request.state_text,
        &request.state_base64,
        &request.content_type,
    );
    let state = fields.given()?;
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
        // The holder has them, but may not tell the truth.
        known: None,
    })
}

fn binding(binding: WaitpointBinding) -> Binding {
    match binding {
        WaitpointBinding::Fresh(fresh) => Binding::Fresh {
            key: fresh.waitpoint_key,
            signal_names: fresh.signal_names,
        },
        WaitpointBinding::UsePending(pending) => Binding::UsePending(pending.waitpoint_id),
        WaitpointBinding::Keyed(keyed) => Binding::Keyed(keyed.waitpoint_key),
    }
}

/// Makes a waitpoint before the execution suspends.
///
/// Its token can be sent out immediately; signals that come early are kept. A request
/// with the key of an open waitpoint is answered with that one, so that a retried
/// attempt gets the waitpoint to which its signals came.
#[utoipa::path(
    post, path = "/v1/leases/waitpoints", tag = "leases",
    request_body = CreateLeaseWaitpoint,
    responses(
        (status = 201, body = OpenWaitpoint, description = "New"),
        (status = 200, body = OpenWaitpoint, description = "An open one with this key"),
    )
)]
pub async fn create_waitpoint(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<CreateLeaseWaitpoint>,
) -> Result<impl IntoResponse, Problem> {
    let fence = held(&app, &caller, &request.lease).await?;
    let create = CreateWaitpoint {
        fence,
        key: request.waitpoint_key.unwrap_or_default(),
        expires_in_ms: request.expires_in_ms,
        signal_names: request.signal_names,
    };
    let open = app.engine.create_waitpoint(create).await?;
    let status = if open.existing {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, NO_STORE, Json(open_shown(&app, open))))
}

/// Reads the signals that satisfied the last suspension of an execution.
///
/// For signals that did not fit into the answer to the claim.
#[utoipa::path(
    post, path = "/v1/leases/signals", tag = "leases",
    request_body = ObserveSignals,
    responses((status = 200, body = ObservedSignals))
)]
pub async fn observe(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<ObserveSignals>,
) -> Answer<ObservedSignals> {
    let fence = held(&app, &caller, &request.lease).await?;
    let signals = app.engine.observe_signals(fence, request.first).await?;
    Ok(Json(ObservedSignals {
        signals: signals.into_iter().map(Into::into).collect(),
    }))
}

/// Verifies a handle.
async fn held(app: &App, caller: &Caller, handle: &str) -> Result<Fence, Problem> {
    let signer = app.engine.handle_signer().await?;
    verbs::held(signer, caller.scope(), handle)
}
