//! What an execution waited and waits for, and the signals it accepted.

use axum::extract::State;
use engine::{ExecutionInfo, SignalInfo, SuspensionInfo, Unreadable};
use model::{Limits, PublicState, SignalId};

use crate::api::{
    OpenSuspension, ProblemBody, ReceivedSignal, Resumption, Signal, Signals, Suspension,
    Suspensions,
};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::page::List;
use crate::http::payload;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::waitpoints;

/// Lists the suspensions of an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/suspensions", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = Suspensions),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<Suspensions>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let engine = &app.engine;
    let found = engine
        .suspensions(id, namespace.as_deref(), Limits::PAGE_MAX)
        .await?;
    let suspensions = found.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Suspensions {
        suspensions: suspensions.rows.into_iter().map(shown).collect(),
        unreadable: suspensions.unreadable.into_iter().map(Into::into).collect(),
    }))
}

/// Lists the signals an execution accepted, in that order.
#[utoipa::path(
    get, path = "/v1/executions/{id}/signals", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent. No page has more than 256, or more than a MiB"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = Signals),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn signals(
    State(app): State<App>,
    Id(id): Id,
    list: List,
    mut query: Query,
) -> Result<Json<Signals>, Problem> {
    let namespace = query.namespace()?;
    let limit = query.limit()?.min(Limits::SIGNALS_MAX);
    let after: Option<SignalId> = list.after(&mut query)?;
    query.end()?;
    let engine = &app.engine;
    let found = engine
        .signals(id, namespace.as_deref(), after, limit)
        .await?;
    let found = found.ok_or_else(|| Problem::no_execution(id))?;
    let next_cursor = found.next().map(|last| list.cursor(last));
    Ok(Json(Signals {
        signals: found.rows.into_iter().map(signal_shown).collect(),
        unreadable: found.unreadable.into_iter().map(Into::into).collect(),
        next_cursor,
    }))
}

/// Returns the suspension of an execution that is suspended, and where it waits; beside
/// it, what of both cannot be shown. No suspension if there is none, or it ended meanwhile.
pub async fn open(
    app: &App,
    info: &ExecutionInfo,
) -> Result<(Option<OpenSuspension>, Vec<Unreadable>), Problem> {
    if info.public_state != PublicState::Suspended {
        return Ok((None, Vec::new()));
    }
    // The open one is the last.
    let suspensions = app.engine.suspensions(info.id, None, 1).await?;
    let Some(suspensions) = suspensions else {
        return Ok((None, Vec::new()));
    };
    let mut unreadable = suspensions.unreadable;
    let lasts = |suspension: &SuspensionInfo| suspension.closed_at.is_none();
    let Some(suspension) = suspensions.rows.into_iter().rfind(lasts) else {
        return Ok((None, unreadable));
    };
    let waitpoints = app.engine.waitpoints(info.id, None).await?;
    let waitpoints = waitpoints.unwrap_or_default();
    unreadable.extend(waitpoints.unreadable);
    let waitpoints = waitpoints
        .rows
        .into_iter()
        .filter(|waitpoint| waitpoint.suspension_id == Some(suspension.id))
        .map(waitpoints::list::shown)
        .collect();
    let open = OpenSuspension {
        suspension: shown(suspension),
        waitpoints,
    };
    Ok((Some(open), unreadable))
}

fn shown(info: SuspensionInfo) -> Suspension {
    Suspension {
        suspension_id: info.id,
        attempt: info.attempt,
        reason_code: info.reason,
        requested_by: info.requested_by,
        resume_condition: info.condition,
        resume_policy: info.resume_policy,
        timeout_at: info.timeout_at,
        timeout_behavior: info.timeout_behavior,
        escalated_at: info.escalated_at,
        state_bytes: info.state_bytes,
        idempotency_key: info.idempotency_key,
        suspended_at: info.created_at,
        closed_at: info.closed_at,
        close_reason: info.close_reason,
        closer_signal_id: info.closer_signal_id,
        satisfiers: info.satisfiers,
    }
}

fn signal_shown(info: SignalInfo) -> Signal {
    Signal {
        signal: received(info.signal),
        effect: info.effect,
        idempotency_key: info.idempotency_key,
        token_kid: info.token_kid,
    }
}

/// Shows a signal to its receiver.
pub fn received(signal: engine::ReceivedSignal) -> ReceivedSignal {
    let (content_type, payload_base64) = forms(signal.payload);
    ReceivedSignal {
        signal_id: signal.id,
        waitpoint_id: signal.waitpoint_id,
        waitpoint_key: signal.waitpoint_key,
        signal_name: signal.name,
        signal_category: signal.category,
        source_type: signal.source_type,
        source_identity: signal.source_identity,
        correlation_id: signal.correlation_id,
        content_type,
        payload_base64,
        accepted_at: signal.accepted_at,
    }
}

/// Shows what a worker goes on with.
pub fn resumption(resumption: engine::Resumption) -> Resumption {
    let (state_type, state_base64) = forms(resumption.state);
    Resumption {
        suspension_id: resumption.suspension_id,
        reason: resumption.reason,
        closed_at: resumption.closed_at,
        state_type,
        state_base64,
        signals: resumption.signals.into_iter().map(received).collect(),
        signal_count: resumption.signal_count,
    }
}

fn forms(payload: Option<engine::Payload>) -> (Option<String>, Option<String>) {
    payload
        .map(|payload| (payload.content_type, payload::shown(&payload.data)))
        .unzip()
}
