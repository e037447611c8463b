//! `/v1/waitpoints` and the waitpoints of an execution: where signals arrive.

use std::fmt;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use engine::{TokenExpiry, WaitpointRef};
use model::{ExecutionId, Invalid, WaitpointId};
use time::OffsetDateTime;

use crate::api::{
    self, MintWaitpointToken, MintedWaitpointToken, OpenWaitpoint, OperateExecution,
    PendingWaitpoints, ProblemBody, Waitpoints,
};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::executions::operate::{after, asked};
use crate::http::page::{List, Position, PositionError};
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// An execution and one of its waitpoints in the path.
#[derive(Debug, Clone)]
pub struct At {
    execution_id: ExecutionId,
    waitpoint: WaitpointRef,
}

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((execution, waitpoint)): Path<(String, String)> =
            Path::from_request_parts(parts, state).await?;
        Ok(Self {
            execution_id: Id::read(&execution)?.0,
            waitpoint: waitpoint_of(Some(waitpoint))?,
        })
    }
}

/// Reads which waitpoint is meant: an id, or else a key; absent, the only open one.
pub fn waitpoint_of(text: Option<String>) -> Result<WaitpointRef, Invalid> {
    let Some(text) = text else {
        return Ok(WaitpointRef::Only);
    };
    // One spelling, so that a key can look like any other.
    match text.parse::<WaitpointId>() {
        Ok(id) if text.len() == 36 => Ok(WaitpointRef::Id(id)),
        _ => {
            let wrong = |invalid: Invalid| Invalid::new("waitpoint", invalid.detail);
            model::waitpoint_key(&text).map_err(wrong)?;
            Ok(WaitpointRef::Key(text))
        }
    }
}

/// A place in the list of pending waitpoints: by the time they expire, those that
/// never do coming last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(Option<OffsetDateTime>, WaitpointId);

const NEVER: &str = "never.";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => Position(at, self.1).fmt(f),
            None => write!(f, "{NEVER}{}", self.1),
        }
    }
}

impl FromStr for Place {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        match text.strip_prefix(NEVER) {
            Some(id) => Ok(Self(None, id.parse().map_err(|_| PositionError)?)),
            None => text.parse().map(|Position(at, id)| Self(Some(at), id)),
        }
    }
}

/// Lists pending waitpoints of all executions that are not finished, those that
/// expire first coming first.
#[utoipa::path(
    get, path = "/v1/waitpoints", tag = "signals",
    params(
        ("namespace" = Option<String>, Query, description = "In this namespace"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = PendingWaitpoints),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn pending(
    State(app): State<App>,
    list: List,
    mut query: Query,
) -> Result<Json<PendingWaitpoints>, Problem> {
    let namespace = query.namespace()?;
    let limit = query.limit()?;
    let after: Option<Place> = list.after(&mut query)?;
    query.end()?;
    let after = after.map(|Place(at, id)| (at, id));
    let engine = &app.engine;
    let found = engine
        .pending_waitpoints(namespace.as_deref(), after, limit)
        .await?;
    Ok(Json(PendingWaitpoints::new(found, |(at, id)| {
        list.cursor(Place(*at, *id))
    })))
}

/// Lists the waitpoints of an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/waitpoints", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = Waitpoints),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<Waitpoints>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let found = app.engine.waitpoints(id, namespace.as_deref()).await?;
    let waitpoints = found.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(waitpoints.into()))
}

/// Closes a waitpoint: it takes no more signals.
///
/// What it accepted still counts. A suspension that waits at it goes on waiting.
#[utoipa::path(
    post, path = "/v1/executions/{id}/waitpoints/{waitpoint}/close", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("waitpoint" = String, Path, description = "The waitpoint, by its id or key"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn close(
    State(app): State<App>,
    at: At,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, _): (_, OperateExecution) =
        asked(&app, at.execution_id, query, &headers, body).await?;
    app.engine.close_waitpoint(operate, at.waitpoint).await??;
    after(&app, at.execution_id).await
}

/// Makes another token for an open waitpoint; those made before stay good.
///
/// Each token is one source of signals, and can be told from others by its
/// fingerprint.
#[utoipa::path(
    post, path = "/v1/executions/{id}/waitpoints/{waitpoint}/token", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("waitpoint" = String, Path, description = "The waitpoint, by its id or key"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<MintWaitpointToken>, content_type = "application/json"),
    responses(
        (status = 200, body = MintedWaitpointToken),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn token(
    State(app): State<App>,
    at: At,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let (operate, request): (_, MintWaitpointToken) =
        asked(&app, at.execution_id, query, &headers, body).await?;
    let expiry = match request.expires_in_ms {
        None => TokenExpiry::Never,
        Some(ms) => TokenExpiry::InMs(ms),
    };
    let engine = &app.engine;
    let open = engine
        .mint_waitpoint_token(operate, at.waitpoint, request.signal_names, expiry)
        .await??;
    let callback_url = app.callback_url(&open.token);
    Ok((
        NO_STORE,
        Json(MintedWaitpointToken::new(open, callback_url)),
    ))
}

/// Said with every answer that has a token in it.
pub const NO_STORE: [(header::HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// Shows a waitpoint that takes signals, with the token to whoever may send them.
pub fn open_shown(app: &App, open: engine::OpenWaitpoint) -> OpenWaitpoint {
    let callback_url = app.callback_url(&open.token);
    OpenWaitpoint::new(open, callback_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_with_and_without_an_end() {
        let id = "0b5f4c1e-8d3a-4f60-9a51-3f6f0f6f2a11"
            .parse()
            .expect("an id");
        for place in [Place(None, id), Place(Some(OffsetDateTime::UNIX_EPOCH), id)] {
            assert_eq!(place.to_string().parse().ok(), Some(place));
        }
        for wrong in ["never.", "never.1", "1.never", ""] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_waitpoint_is_named_by_its_id_or_else_its_key() {
        let id = "0b5f4c1e-8d3a-4f60-9a51-3f6f0f6f2a11";
        let of = |text: &str| waitpoint_of(Some(text.to_owned()));
        assert_eq!(waitpoint_of(None), Ok(WaitpointRef::Only));
        let read = WaitpointRef::Id(id.parse().expect("an id"));
        assert_eq!(of(id), Ok(read));
        for key in ["approval", &id.replace('-', ""), &format!("wpk:{id}")] {
            assert_eq!(of(key), Ok(WaitpointRef::Key(key.to_owned())));
        }
        for wrong in ["", "a\0", &"k".repeat(129)] {
            assert_eq!(of(wrong).expect_err("refused").field, "waitpoint");
        }
    }
}
