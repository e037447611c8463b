//! `dry_run=true`: what a request would do.
//!
//! Any route whose line in the table says `rehearsed` takes the parameter. The handler then
//! runs as it always does, on an engine whose writes do not last; see
//! [`engine::Engine::rehearse`]. Its answer is that of the request, problems included, with
//! the header [`DRY_RUN_HEADER`] beside it.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::future::BoxFuture;

use super::prefer::PREFER;
use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::query::Given;

/// The parameter that asks what a request would do.
pub const DRY_RUN: &str = "dry_run";
/// The header of an answer that tells what would have happened.
pub const DRY_RUN_HEADER: HeaderName = HeaderName::from_static("flowhost-dry-run");
/// Requests that ask at the same time what would happen; more wait. Each has a connection
/// to the database.
pub const REHEARSALS_MAX: usize = 2;

/// Runs the handler of a route on the state given.
pub type Rehearse = fn(Request, App) -> BoxFuture<'static, Response>;

/// Runs a request, or only asks what it would do.
pub async fn perhaps(
    State((app, rehearse)): State<(App, Rehearse)>,
    request: Request,
    next: Next,
) -> Response {
    if !request
        .uri()
        .query()
        .is_some_and(|query| query.contains(DRY_RUN))
    {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match take(&mut parts) {
        Err(problem) => problem.into_response(),
        Ok(false) => next.run(Request::from_parts(parts, body)).await,
        Ok(true) => {
            // Nothing happens that could be waited for.
            parts.headers.remove(PREFER);
            rehearsed(&app, rehearse, Request::from_parts(parts, body)).await
        }
    }
}

async fn rehearsed(app: &App, rehearse: Rehearse, request: Request) -> Response {
    let permit = app.rehearsal_permits.acquire().await;
    let _permit = permit.expect("invariant: the semaphore is never closed");
    let engine = app.engine.rehearse();
    let mut response = rehearse(request, app.with_engine(engine.clone())).await;
    engine.close().await;
    let told = HeaderValue::from_static("true");
    response.headers_mut().insert(DRY_RUN_HEADER, told);
    response
}

/// Takes the parameter out of a request, so that its handler does not see it.
fn take(parts: &mut Parts) -> Result<bool, Problem> {
    let asks = Given::read(parts)?.value(DRY_RUN)?.unwrap_or(false);
    let uri = &parts.uri;
    let of_others = |pair: &&str| pair.split('=').next() != Some(DRY_RUN);
    let query = uri.query().unwrap_or_default();
    let others: Vec<&str> = query.split('&').filter(of_others).collect();
    let rest = match &*others.join("&") {
        "" => uri.path().to_owned(),
        query => format!("{}?{query}", uri.path()),
    };
    let mut changed = uri.clone().into_parts();
    let rest: Result<PathAndQuery, _> = rest.parse();
    changed.path_and_query = rest.ok();
    parts.uri = Uri::from_parts(changed)
        .map_err(|error| Problem::new(Code::InvalidQuery, error.to_string()))?;
    Ok(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str) -> Result<(bool, String), Problem> {
        let request = axum::http::Request::get(uri).body(());
        let request = request.expect("a request");
        let mut parts = request.into_parts().0;
        let asks = take(&mut parts)?;
        Ok((asks, parts.uri.to_string()))
    }

    #[test]
    fn the_parameter_is_taken_out_of_the_query() {
        for (given, asks, left) in [
            ("/a?dry_run=true", true, "/a"),
            ("/a?dry_run=false&x=1", false, "/a?x=1"),
            (
                "/a?x=dry_run&y=%20&dry_run=true",
                true,
                "/a?x=dry_run&y=%20",
            ),
            ("http://h:1/a?dry_runs=1", false, "http://h:1/a?dry_runs=1"),
        ] {
            assert_eq!(taken(given), Ok((asks, left.to_owned())), "{given}");
        }
    }

    #[test]
    fn any_other_value_is_refused() {
        for wrong in ["/a?dry_run", "/a?dry_run=1", "/a?dry_run=true&dry_run=true"] {
            let problem = taken(wrong).expect_err(wrong);
            assert_eq!(problem.code, Code::InvalidQuery, "{wrong}");
        }
    }
}
