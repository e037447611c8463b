//! `/v1/components`: what handles executions, by digest.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use engine::ComponentRow;
use model::{Digest, DigestError};
use runtime::PublishRefusal;
use serde::Serialize;

use super::App;
use super::answer::Json;
use super::body::{self, Cap};
use super::problem::{Code, Problem};
use super::query::Query;
use crate::api::{self, ProblemBody, PublishedComponent};

/// [`api::Components`] as the server writes it.
#[derive(Serialize)]
pub struct Components {
    components: Vec<ComponentRow>,
}

/// Publishes a component: the body is its bytes.
///
/// Publishing the same bytes again changes nothing. With `kind` given, that kind
/// is routed to this component alone; several kinds may be given. A component
/// this host cannot run is refused with what it lacks.
#[utoipa::path(
    post, path = "/v1/components", tag = "components",
    params(
        ("kind" = Option<Vec<String>>, Query, description = "A kind to route to it at once; may repeat"),
        ("weight" = Option<u32>, Query, description = "Weight of that route; 1 when absent"),
    ),
    request_body(content = String, content_type = "application/wasm"),
    responses(
        (status = 201, body = PublishedComponent, description = "New"),
        (status = 200, body = PublishedComponent, description = "Was published before"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn publish(
    State(app): State<App>,
    mut query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<PublishedComponent>), Problem> {
    let kinds = query.all("kind");
    let weight = query.value("weight")?.unwrap_or(1);
    query.end()?;
    for kind in &kinds {
        model::kind_name(kind)?;
    }
    if let Some(given) = body::media_type(&headers)
        && !matches!(
            given.as_str(),
            "application/wasm" | "application/octet-stream"
        )
    {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            format!(
                "expected application/wasm, not {given}; with curl: -H 'content-type: application/wasm' --data-binary @FILE"
            ),
        ));
    }
    let cap = Cap {
        limit: "component_bytes_max",
        bytes_max: app.limits().component_bytes_max as usize,
        timeout: app.http.request_timeout(),
    };
    let bytes = cap.read(&headers, body).await?;
    let (digest, new) = app.runtime.publish(bytes.into()).await??;
    for kind in &kinds {
        app.engine.route(kind, vec![(digest, weight)]).await??;
    }
    if !kinds.is_empty() {
        app.refresh();
    }
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let shown = PublishedComponent {
        digest,
        new,
        imports: component(&app, digest).await?.imports,
        kinds,
    };
    Ok((status, Json(shown)))
}

/// Lists the components published.
#[utoipa::path(
    get, path = "/v1/components", tag = "components",
    responses(
        (status = 200, body = api::Components),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(app): State<App>, query: Query) -> Result<Json<Components>, Problem> {
    query.end()?;
    let components = app.engine.components().await?;
    Ok(Json(Components { components }))
}

/// Shows one component.
#[utoipa::path(
    get, path = "/v1/components/{digest}", tag = "components",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses(
        (status = 200, body = api::Component),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(app): State<App>,
    Path(digest): Path<String>,
    query: Query,
) -> Result<Json<ComponentRow>, Problem> {
    query.end()?;
    let digest: Digest = digest
        .parse()
        .map_err(|error: DigestError| Problem::new(Code::InvalidId, error.to_string()))?;
    component(&app, digest).await.map(Json)
}

async fn component(app: &App, digest: Digest) -> Result<ComponentRow, Problem> {
    let mut components = app.engine.components().await?.into_iter();
    components
        .find(|component| component.digest == digest)
        .ok_or_else(|| {
            Problem::new(
                Code::ComponentNotFound,
                format!("there is no component {digest}"),
            )
        })
}

impl From<engine::RouteRefusal> for Problem {
    fn from(refusal: engine::RouteRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            engine::RouteRefusal::UnknownComponent(digest) => {
                Self::new(Code::UnknownComponent, detail).with("digest", digest.to_string())
            }
            engine::RouteRefusal::MixedWorlds(digest) => {
                Self::new(Code::MixedWorlds, detail).with("digest", digest.to_string())
            }
            engine::RouteRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<PublishRefusal> for Problem {
    fn from(refusal: PublishRefusal) -> Self {
        let code = match &refusal {
            PublishRefusal::TooLarge { .. } => Code::ComponentTooLarge,
            PublishRefusal::NotAComponent { .. } => Code::NotAComponent,
            PublishRefusal::Malformed(_) => Code::ComponentMalformed,
            PublishRefusal::Imports(_) => Code::ComponentImports,
            PublishRefusal::NoWorld { .. } | PublishRefusal::TwoWorlds => Code::ComponentExports,
            PublishRefusal::DoesNotCompile(_) => Code::ComponentDoesNotCompile,
            PublishRefusal::DoesNotLink(_) => Code::ComponentDoesNotLink,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<runtime::Error> for Problem {
    fn from(error: runtime::Error) -> Self {
        match error {
            runtime::Error::Engine(error) => error.into(),
            error => {
                tracing::error!(%error, "a component could not be handled");
                Self::new(Code::Internal, "the server met a fault; its log says more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_codes() {
        for refusal in [
            PublishRefusal::TooLarge { bytes: 2, max: 1 },
            PublishRefusal::NotAComponent {
                found: "text",
                fix: "",
            },
            PublishRefusal::Malformed(String::new()),
            PublishRefusal::Imports(Vec::new()),
            PublishRefusal::TwoWorlds,
            PublishRefusal::NoWorld {
                found: String::new(),
            },
            PublishRefusal::DoesNotCompile(String::new()),
            PublishRefusal::DoesNotLink(String::new()),
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
    }
}
