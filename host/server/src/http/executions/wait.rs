//! `GET /v1/executions/{id}/wait`: answers when an execution ended, or when the
//! caller's time is over.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use model::Invalid;

use crate::api;
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Longest a caller may wait.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60);
const TIMEOUT_DEFAULT_MS: u64 = 30_000;

/// Waits until an execution has ended.
///
/// Answers 200 when it has, 202 with the execution as it stands when the time is
/// over first or the host closes; the caller asks again. A host that is about to end
/// waits for as long as it lets attempts run, and then answers 503 `draining`: ask
/// again after the seconds in `Retry-After`.
#[utoipa::path(
    get, path = "/v1/executions/{id}/wait", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("timeout_ms" = Option<u64>, Query, description = "Longest to wait, 0 to 60000; 30000 when absent"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = api::Execution, description = "It has ended"),
        (status = 202, body = api::Execution, description = "Not yet"),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn wait(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<(StatusCode, Json<api::Execution>), Problem> {
    let namespace = query.namespace()?;
    let timeout_ms = query.value("timeout_ms")?.unwrap_or(TIMEOUT_DEFAULT_MS);
    query.end()?;
    app.refuse_closing()?;
    let timeout = Duration::from_millis(timeout_ms);
    if timeout > TIMEOUT_MAX {
        let detail = format!(
            "{timeout_ms} is out of range: 0 to {}",
            TIMEOUT_MAX.as_millis()
        );
        return Err(Invalid::new("timeout_ms", detail).into());
    }
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
