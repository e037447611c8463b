//! `POST /v1/components`: publishes a component; and how far that is until it has
//! ended.
//!
//! Compiling may take longer than anybody should hold a connection open. A request
//! that is not answered within its patience gets `202` and the address of the same
//! answer; the work continues either way.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use model::Digest;
use runtime::{NotPublished, Publication, PublishProgress, PublishRefusal, Published};

use crate::api::{ProblemBody, PublishedComponent, PublishingComponent};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body::{self, Cap};
use crate::http::components::list::parse;
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::http::transport::prefer::{self, Prefers};
use crate::http::transport::text;

/// How long a request to publish waits for the end unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to ask again, in seconds.
const RETRY_AFTER: &str = "1";

/// Publishes a component: the body is its bytes.
///
/// Publishing the same bytes again changes nothing, and joins a request for them
/// that is in progress. With `kind` given, that kind is routed to this component
/// alone; several kinds may be given. A component this host cannot run is refused
/// with what it lacks.
///
/// A component that is not done within five seconds, or as long as `Prefer` says,
/// is answered 202. It is compiled, stored and routed to all the same; `Location`
/// names where its end can be read, on this host.
#[utoipa::path(
    post, path = "/v1/components", tag = "components",
    params(
        ("kind" = Option<Vec<String>>, Query, description = "A kind to route to it at once; may repeat"),
        ("weight" = Option<u32>, Query, description = "Weight of that route; 1 when absent"),
        ("prefer" = Option<String>, Header, description = "`wait=SECONDS`, at most 60: how long to wait for the end; `respond-async`: not at all"),
    ),
    request_body(content = String, content_type = "application/wasm"),
    responses(
        (status = 201, body = PublishedComponent, description = "New"),
        (status = 200, body = PublishedComponent, description = "Was published before"),
        (status = 202, body = PublishingComponent, description = "Not done yet; `Location` names where its end can be read", headers(("location" = String), ("retry-after" = u32))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn publish(
    State(app): State<App>,
    mut query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let kinds = query.all("kind");
    let weight = query.value("weight")?.unwrap_or(1);
    query.end()?;
    for kind in &kinds {
        model::kind_name(kind)?;
    }
    if let Some(given) = body::media_type(&headers)?
        && !matches!(
            given.as_str(),
            "application/wasm" | "application/octet-stream"
        )
    {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            format!(
                "expected application/wasm, not `{}`; with curl: -H 'content-type: application/wasm' --data-binary @FILE",
                text::quoted(given.as_bytes())
            ),
        ));
    }
    let cap = Cap {
        limit: "component_bytes_max",
        bytes_max: app.limits().component_bytes_max as usize,
        timeout: app.http.request_timeout(),
    };
    let bytes = cap.read(&headers, body).await?;
    let routed = !kinds.is_empty();
    let routes = kinds.into_iter().map(|kind| (kind, weight)).collect();
    let begun = app.runtime.begin_publishing(bytes.into(), routes);
    let digest = begun.await??;
    let prefers = prefer::read(&headers);
    let publication = wait(&app, digest, prefers.map_or(PATIENCE, Prefers::patience)).await;
    if routed {
        refresh_at_end(&app, digest);
    }
    let mut response = match publication {
        Some(publication) => answer(publication)?,
        // So many others ended meanwhile that its end is forgotten.
        None => return published_before(&app, digest).await,
    };
    prefer::applied(&mut response, prefers);
    Ok(response)
}

/// Returns what came of publishing a component, or how far it is.
///
/// Answers what the request to publish would have been answered; 202 until it has
/// ended. Only the host that was asked to publish knows how far it is; what
/// came of it is forgotten after some hundred others, and when the host ends. A
/// component that is published is found either way.
#[utoipa::path(
    get, path = "/v1/components/{digest}/publish", tag = "components",
    params(
        ("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits"),
        ("prefer" = Option<String>, Header, description = "`wait=SECONDS`, at most 60: how long to wait for the end"),
    ),
    responses(
        (status = 201, body = PublishedComponent, description = "It is published, and was not before"),
        (status = 200, body = PublishedComponent, description = "It is published"),
        (status = 202, body = PublishingComponent, description = "Not done yet", headers(("location" = String), ("retry-after" = u32))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn publication(
    State(app): State<App>,
    Path(digest): Path<String>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query.end()?;
    let digest = parse(&digest)?;
    let prefers = prefer::read(&headers);
    let patience = prefers.map_or(Duration::ZERO, Prefers::patience);
    let mut response = match wait(&app, digest, patience).await {
        Some(publication) => answer(publication)?,
        None => return published_before(&app, digest).await,
    };
    prefer::applied(&mut response, prefers);
    Ok(response)
}

async fn wait(app: &App, digest: Digest, patience: Duration) -> Option<Publication> {
    tokio::select! {
        publication = app.runtime.publication(&digest, patience) => publication,
        () = app.closed() => app.runtime.publication(&digest, Duration::ZERO).await,
    }
}

/// Has the worker of this host read the routes again when the component is routed
/// to, also when the request has ended by then.
fn refresh_at_end(app: &App, digest: Digest) {
    let app = app.clone();
    tokio::spawn(async move {
        while let Some(Publication::InProgress(_)) = app
            .runtime
            .publication(&digest, crate::http::executions::wait::TIMEOUT_MAX)
            .await
        {}
        app.refresh();
    });
}

fn answer(publication: Publication) -> Result<Response, Problem> {
    let end = match publication {
        Publication::InProgress(progress) => return Ok(not_yet(progress)),
        Publication::Ended(end) => end,
    };
    match &*end {
        Ok(Ok(published)) => Ok(done(published.clone())),
        Ok(Err(refusal)) => Err(refusal.clone().into()),
        Err(error) => Err(error.into()),
    }
}

fn done(published: Published) -> Response {
    let status = if published.new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let shown = PublishedComponent {
        digest: published.digest,
        new: published.new,
        imports: published.imports,
        kinds: published.kinds,
    };
    (status, Json(shown)).into_response()
}

fn not_yet(working: PublishProgress) -> Response {
    let shown = PublishingComponent::from(working);
    let mut response = (StatusCode::ACCEPTED, Json(shown)).into_response();
    let place = format!("/v1/components/{}/publish", working.digest);
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}

/// Answers about a component this host did not publish lately.
async fn published_before(app: &App, digest: Digest) -> Result<Response, Problem> {
    match app.engine.component(digest).await? {
        Some(row) => Ok(done(Published {
            digest,
            new: false,
            imports: row.imports,
            kinds: Vec::new(),
        })),
        None => Err(Problem::new(
            Code::ComponentNotFound,
            format!(
                "{digest} is not published, and this host is not publishing it: ask the host that was asked to, or publish it again"
            ),
        )),
    }
}

impl From<NotPublished> for Problem {
    fn from(refusal: NotPublished) -> Self {
        match refusal {
            NotPublished::Component(refusal) => refusal.into(),
            NotPublished::Route(refusal) => refusal.into(),
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
            PublishRefusal::TooManyParts { .. }
            | PublishRefusal::CompilesTooLong { .. }
            | PublishRefusal::ExceedsSandbox { .. }
            | PublishRefusal::DoesNotFit(_) => Code::ComponentExceedsLimits,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<runtime::Error> for Problem {
    fn from(error: runtime::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&runtime::Error> for Problem {
    fn from(error: &runtime::Error) -> Self {
        match error {
            runtime::Error::Engine(error) => error.into(),
            runtime::Error::Busy { .. } => Self::new(Code::PublishingBusy, error.to_string()),
            runtime::Error::Unavailable(_) => {
                tracing::error!(%error, "a component could not be published");
                Self::new(
                    Code::CompilerUnavailable,
                    "this host could not compile the component, which says nothing about the component: publish it again. The log of the host says more",
                )
            }
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
            PublishRefusal::Imports(String::new()),
            PublishRefusal::TooManyParts {
                what: "imports",
                max: 1,
            },
            PublishRefusal::CompilesTooLong {
                what: String::new(),
                setting: "compile_cpu_ms_max",
                fix: "",
            },
            PublishRefusal::ExceedsSandbox {
                what: "tables",
                has: 2,
                max: 1,
                setting: "tables_max",
            },
            PublishRefusal::DoesNotFit(String::new()),
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

    #[test]
    fn a_compiler_that_does_not_run_is_not_called_a_database() {
        for error in [
            runtime::Error::Unavailable("the system killed it".to_owned()),
            runtime::Error::Busy { components: 64 },
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.code.status(), StatusCode::SERVICE_UNAVAILABLE);
            let text = format!("{} {}", problem.code.title(), problem.detail);
            assert!(!text.contains("database"), "{text}");
        }
    }
}
