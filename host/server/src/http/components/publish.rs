//! `POST /v1/components`: publishes a component; and how far that is until it has
//! ended.
//!
//! Compiling may take longer than a connection should be held open. A request
//! that is not answered within the time it waits gets `202` and the URL of the same
//! answer; the work continues either way.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use model::{Digest, Limits};
use runtime::{Publication, PublishProgress, Published};

use super::list::parse;
use crate::api::{PublishedComponent, PublishingComponent, RawBytes};
use crate::http::App;
use crate::http::answer::{Json, created_or_ok};
use crate::http::body;
use crate::http::limits::{BodyLimit, WAIT_MAX};
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::{FromQuery, Given, NoQuery, Query};
use crate::http::transport::prefer::{self, Prefers};
use crate::http::transport::text;

/// How long a request to publish waits for the end when it has no header `Prefer`.
const WAIT_DEFAULT: Duration = Duration::from_secs(5);
/// Seconds after which to ask again.
const RETRY_AFTER: &str = "1";

/// The route that a published component gets.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RouteTo {
    /// A kind to route to it immediately; may repeat
    #[param(value_type = Option<Vec<String>>)]
    kind: Vec<String>,
    /// Weight of that route; 1 when absent
    weight: Option<u32>,
}

impl FromQuery for RouteTo {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let kind = given.all("kind");
        let weight = given.value("weight")?;
        if let Some(weight) = weight {
            model::check_range("weight", weight, 0..=Limits::ROUTE_WEIGHT_MAX)?;
        }
        for kind in &kind {
            model::kind_name(kind)?;
        }
        Ok(Self { kind, weight })
    }
}

/// Publishes a component: the body is its bytes.
///
/// Publishing the same bytes again changes nothing, and joins a request for them
/// that is in progress. With `kind` given, that kind is routed to this component
/// alone; several kinds may be given. A component this host cannot run is refused
/// with what it lacks.
///
/// A component that is not done within five seconds, or as long as `Prefer` says,
/// is answered 202. It is compiled, stored and routed to all the same; `Location`
/// names where the outcome can be read, on this host.
#[utoipa::path(
    post, path = "/v1/components", tag = "components",
    params(
        RouteTo,
        ("prefer" = Option<String>, Header, description = "`wait=SECONDS`, at most 60: how long to wait for the end; `respond-async`: not at all"),
    ),
    request_body(content = RawBytes, content_type = "application/octet-stream", description = "The component; as `application/wasm` also"),
    responses(
        (status = 201, body = PublishedComponent, description = "New"),
        (status = 200, body = PublishedComponent, description = "Was published before"),
        (status = 202, body = PublishingComponent, description = "Not done yet; `Location` names where the outcome can be read", headers(("location" = String), ("retry-after" = u32))),
    )
)]
pub async fn publish(
    app: State<App>,
    Query(route): Query<RouteTo>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Problem> {
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
    let cap = app.raw_cap(BodyLimit::Component);
    let bytes = cap.read(&headers, body).await?;
    let routed = !route.kind.is_empty();
    let weight = route.weight.unwrap_or(1);
    let routes = route.kind.into_iter().map(|kind| (kind, weight)).collect();
    let begun = app.runtime.begin_publishing(bytes.into(), routes);
    let digest = begun.await??;
    let prefers = prefer::read(&headers);
    let publication = wait(&app, digest, prefers.map_or(WAIT_DEFAULT, Prefers::wait)).await;
    if routed {
        refresh_at_end(&app, digest);
    }
    let mut response = match publication {
        Some(publication) => answer(publication)?,
        // So many others ended meanwhile that its outcome is forgotten.
        None => return published_before(&app, digest).await,
    };
    prefer::applied(&mut response, prefers);
    Ok(response)
}

/// Returns the outcome of publishing a component, or how far it is.
///
/// The answer is that of the request to publish; 202 until it has
/// ended. Only the host that was asked to publish knows how far it is; it forgets the
/// outcome after some hundred others, and when it ends. A
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
    )
)]
pub async fn publication(
    app: State<App>,
    Path(digest): Path<String>,
    _: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let digest = parse(&digest)?;
    let prefers = prefer::read(&headers);
    let longest = prefers.map_or(Duration::ZERO, Prefers::wait);
    let mut response = match wait(&app, digest, longest).await {
        Some(publication) => answer(publication)?,
        None => return published_before(&app, digest).await,
    };
    prefer::applied(&mut response, prefers);
    Ok(response)
}

async fn wait(app: &App, digest: Digest, longest: Duration) -> Option<Publication> {
    tokio::select! {
        publication = app.runtime.publication(&digest, longest) => publication,
        () = app.closed() => app.runtime.publication(&digest, Duration::ZERO).await,
    }
}

/// Has the worker of this host read the routes again when the component is routed
/// to, also when the request has ended by then.
fn refresh_at_end(app: &App, digest: Digest) {
    let app = app.clone();
    tokio::spawn(async move {
        while let Some(Publication::InProgress(_)) =
            app.runtime.publication(&digest, WAIT_MAX).await
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
        Ok(Err(refusal)) => Err(Problem::refused(refusal)),
        Err(error) => Err(error.into()),
    }
}

fn done(published: Published) -> Response {
    let status = created_or_ok(published.new);
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
