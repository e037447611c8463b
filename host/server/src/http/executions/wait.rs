//! `GET /v1/executions/{id}/wait`: answers when an execution has ended, or when the
//! caller's time is over.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use model::check_range;

use crate::api;
use crate::http::App;
use crate::http::answer::Json;
use crate::http::limits::WAIT_MAX;
use crate::http::path::{Id, OfExecution};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace, Query};

const TIMEOUT_DEFAULT_MS: u64 = 30_000;

/// How long a caller waits.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Timeout {
    /// Longest to wait, 0 to 60000; 30000 when absent
    timeout_ms: Option<u64>,
}

impl FromQuery for Timeout {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let timeout_ms = given.value("timeout_ms")?;
        Ok(Self { timeout_ms })
    }
}

/// Waits until an execution has ended.
///
/// Answers 200 when it has, 202 with the execution as it is when the time is
/// over first or the host closes; the caller asks again. A host that is about to end
/// waits for as long as it lets attempts run, and then answers 503 `draining`: ask
/// again after the seconds in `Retry-After`.
#[utoipa::path(
    get, path = "/v1/executions/{id}/wait", tag = "executions",
    params(OfExecution, InNamespace, Timeout),
    responses(
        (status = 200, body = api::Execution, description = "It has ended"),
        (status = 202, body = api::Execution, description = "Not yet"),
    )
)]
pub async fn wait(
    State(app): State<App>,
    Id(id): Id,
    Query((InNamespace { namespace }, Timeout { timeout_ms })): Query<(InNamespace, Timeout)>,
) -> Result<(StatusCode, Json<api::Execution>), Problem> {
    let timeout_ms = timeout_ms.unwrap_or(TIMEOUT_DEFAULT_MS);
    app.refuse_closing()?;
    let timeout = Duration::from_millis(timeout_ms);
    check_range("timeout_ms", timeout_ms, 0..=WAIT_MAX.as_millis() as u64)?;
    let namespace = namespace.as_deref();
    let found = tokio::select! {
        found = app.engine.wait(id, namespace, timeout) => found?,
        () = app.closed() => app.engine.get(id, namespace).await?,
    };
    let info = found.ok_or_else(|| Problem::no_execution(id))?;
    let status = if info.public_state.is_terminal() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(info.into())))
}
