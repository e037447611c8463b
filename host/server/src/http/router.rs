//! The router: lets requests in, gives each its time, counts them, and answers those
//! that no route serves.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing;
use futures::FutureExt as _;

use super::doors::ClientAddress;
use super::limits::{BodyLimit, RouteLimits, TimeLimit};
use super::problem::{Code, Problem};
use super::routes::ROUTES;
use super::signals::callbacks;
use super::transport::browsers::{self, Admitted};
use super::transport::dry_run;
use super::transport::prefer::PREFER;
use super::transport::text;
use super::waitpoints::operate::NO_STORE;
use super::{App, access, answer};
use crate::address::CALLBACKS;
use crate::stopwatch::Stopwatch;

/// The limits of requests that no route serves.
const OF_NO_ROUTE: RouteLimits = RouteLimits {
    time: TimeLimit::Short,
    body: BodyLimit::None,
};

/// Makes the router out of the table of routes.
pub fn router(app: App) -> Router {
    let within = |limits| middleware::from_fn_with_state((app.clone(), limits), bounded);
    let mut router = Router::new();
    for route in ROUTES.iter() {
        let mut served = route.serve();
        if let Some(rehearse) = route.rehearse {
            let state = (app.clone(), rehearse);
            served = served.route_layer(middleware::from_fn_with_state(state, dry_run::perhaps));
        }
        let state = (app.clone(), route);
        served = served.route_layer(middleware::from_fn_with_state(state, access::admit));
        router = router.route(&route.path, served.route_layer(within(route.limits)));
    }
    router
        .fallback_service(
            routing::any(nothing_here)
                .layer(within(OF_NO_ROUTE))
                .with_state(app.clone()),
        )
        .method_not_allowed_fallback(other_methods)
        .layer(middleware::map_response(answer::written))
        .layer(middleware::from_fn_with_state(app.clone(), admitted))
        .with_state(app)
}

async fn nothing_here(State(app): State<App>, request: Request) -> Response {
    if request.uri().path().starts_with(CALLBACKS) {
        return callbacks::nearly(app, request).await;
    }
    let path = text::quoted(request.uri().path().as_bytes());
    let detail = format!("there is no {path} here; GET /openapi.json lists what there is");
    Problem::new(Code::NotFound, detail).into_response()
}

async fn other_methods(request: Request) -> Response {
    if request.uri().path().starts_with(CALLBACKS) {
        return callbacks::other_methods(&request);
    }
    Problem::new(
        Code::MethodNotAllowed,
        "this path has other methods; the header Allow names them",
    )
    .into_response()
}

/// Lets a request in, counts it, and keeps browsers from guessing types.
async fn admitted(State(app): State<App>, request: Request, next: Next) -> Response {
    let _counted = app.counters.begin();
    let is_callback = request.uri().path().starts_with(CALLBACKS);
    let within = match request.extensions().get::<ClientAddress>() {
        Some(address) => app.doors.limits.address(*address),
        None => Ok(()),
    };
    let admitted = within.and_then(|()| {
        app.gate
            .admit(request.method(), request.uri(), request.headers())
    });
    let mut response = match admitted {
        Err(refused) if is_callback => callbacks::repeatable(refused).into_response(),
        Err(refused) => refused.into_response(),
        Ok(Admitted {
            allowed_origin: None,
        }) => next.run(request).await,
        Ok(Admitted {
            allowed_origin: Some(origin),
        }) => {
            let mut response = match browsers::preflight(request.method(), request.headers()) {
                Some(response) => response,
                None => next.run(request).await,
            };
            browsers::expose(origin, &mut response);
            response
        }
    };
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_callback {
        response.headers_mut().extend(NO_STORE);
    }
    app.counters.count(response.status());
    response
}

/// Answers within the limits in the line of the route.
async fn bounded(
    State((app, limits)): State<(App, RouteLimits)>,
    mut request: Request,
    next: Next,
) -> Response {
    let has_preference = request.headers().contains_key(PREFER);
    let timeout = limits.time.of(&app, has_preference);
    request.extensions_mut().insert(limits);
    let clock = Stopwatch::start();
    let response = guarded(timeout, next.run(request)).await;
    app.counters.took(limits.time, clock.elapsed());
    response
}

/// Answers in time, and also when a handler panics.
async fn guarded(timeout: Duration, answer: impl Future<Output = Response>) -> Response {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(response)) => response,
        // The hook for panics has written where and why.
        Ok(Err(_)) => {
            tracing::error!("a request was answered with a problem because its handler panicked");
            Problem::new(
                Code::Internal,
                "the server met a fault; its log says more; whether the request took effect is unknown",
            )
            .into_response()
        }
        Err(_) => Problem::new(
            Code::NoAnswer,
            format!(
                "no answer within {} ms; whether the request took effect is unknown: ask again",
                timeout.as_millis()
            ),
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_handler_that_panics_or_takes_too_long_is_a_problem() {
        let soon = Duration::from_millis(20);
        let never = std::future::pending();
        assert_eq!(
            guarded(soon, never).await.status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        let panics = async { panic!("on purpose") };
        let response = guarded(soon, panics).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let kind = &response.headers()[header::CONTENT_TYPE];
        assert_eq!(kind, "application/problem+json");
        let answers = async { StatusCode::OK.into_response() };
        assert_eq!(guarded(soon, answers).await.status(), StatusCode::OK);
    }
}
