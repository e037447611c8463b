//! Verbs of operators about one waitpoint: closing it, and minting another token for it.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use engine::{WaitpointRef, WaitpointTokenExpiry};
use model::Invalid;
use serde::Deserialize;

use crate::api::{self, MintWaitpointToken, MintedWaitpointToken, OpenWaitpoint, OperateExecution};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::operator::{OperatorRequest, after};
use crate::http::path::{Id, OfExecution, Path};
use crate::http::problem::Problem;
use crate::http::query::InNamespace;

/// The waitpoint in the path.
#[derive(Debug, Clone)]
pub struct Named(WaitpointRef);

/// The parameter of [`Named`].
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfWaitpoint {
    /// The waitpoint, by its id or key
    waitpoint: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(OfWaitpoint { waitpoint }) = Path::from_request_parts(parts, state).await?;
        Ok(Self(waitpoint_of(Some(waitpoint))?))
    }
}

/// Reads which waitpoint is meant: an id, or else a key; when absent, the only open one.
pub fn waitpoint_of(text: Option<String>) -> Result<WaitpointRef, Invalid> {
    text.map_or(Ok(WaitpointRef::Only), |text| WaitpointRef::of_text(&text))
}

/// Closes a waitpoint: it takes no more signals.
///
/// Signals it accepted still count. A suspension that waits at it keeps waiting.
#[utoipa::path(
    post, path = "/v1/executions/{id}/waitpoints/{waitpoint}/close", tag = "waitpoints",
    params(OfExecution, OfWaitpoint, InNamespace),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn close(
    State(app): State<App>,
    Id(id): Id,
    Named(waitpoint): Named,
    OperatorRequest { operate, .. }: OperatorRequest<OperateExecution>,
) -> Result<Json<api::Execution>, Problem> {
    app.engine.close_waitpoint(operate, waitpoint).await?;
    after(&app, id).await
}

/// Makes another token for an open waitpoint; those made before stay valid.
///
/// Each token is one source of signals, and can be told from others by its
/// fingerprint.
#[utoipa::path(
    post, path = "/v1/executions/{id}/waitpoints/{waitpoint}/token", tag = "waitpoints",
    params(OfExecution, OfWaitpoint, InNamespace),
    request_body(content = Option<MintWaitpointToken>, content_type = "application/json"),
    responses((status = 200, body = MintedWaitpointToken))
)]
pub async fn token(
    State(app): State<App>,
    _: Id,
    Named(waitpoint): Named,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<MintWaitpointToken>,
) -> Result<impl IntoResponse, Problem> {
    let expiry = match request.expires_in_ms {
        None => WaitpointTokenExpiry::Never,
        Some(ms) => WaitpointTokenExpiry::InMs(ms),
    };
    let engine = &app.engine;
    let open = engine
        .mint_waitpoint_token(operate, waitpoint, request.signal_names, expiry)
        .await?;
    let callback_url = app.callback_url(&open.token);
    Ok((
        NO_STORE,
        Json(MintedWaitpointToken::new(open, callback_url)),
    ))
}

/// The header of every answer that has a token in it.
pub const NO_STORE: [(header::HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// Shows a waitpoint that takes signals, with the token that allows to send them.
pub fn open_shown(app: &App, open: engine::OpenWaitpoint) -> OpenWaitpoint {
    let callback_url = app.callback_url(&open.token);
    OpenWaitpoint::new(open, callback_url)
}

#[cfg(test)]
mod tests {
    use super::*;

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
