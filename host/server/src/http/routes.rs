//! Every route, once: the router is made from this table, and a test holds the
//! OpenAPI document against it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing;
use futures::FutureExt as _;

use super::executions::wait;
use super::problem::{Code, Problem};
use super::signals::callbacks;
use super::transport::browsers::{self, Admitted};
use super::transport::{prefer, text};
use super::{
    App, answer, components, executions, grants, lanes, leases, openapi, ops, signals, waitpoints,
    workers,
};

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path;)+) => {
        /// Method and path of every route.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path),)+];

        fn table() -> Router<App> {
            Router::new()$(.route($path, routing::$method($handler)))+
        }
    };
}

routes! {
    post "/v1/executions" => executions::create::create;
    get "/v1/executions" => executions::list::list;
    post "/v1/executions/batch" => executions::batch::create_batch;
    get "/v1/executions/{id}" => executions::get::get;
    get "/v1/executions/{id}/input" => executions::get::input;
    get "/v1/executions/{id}/policy" => executions::get::policy;
    get "/v1/executions/{id}/result" => executions::get::result;
    get "/v1/executions/{id}/wait" => executions::wait::wait;
    get "/v1/executions/{id}/attempts" => executions::get::attempts;
    get "/v1/executions/{id}/history" => executions::get::history;
    post "/v1/executions/{id}/cancel" => executions::cancel::cancel;
    post "/v1/executions/{id}/expire" => executions::operate::expire;
    post "/v1/executions/{id}/replay" => executions::operate::replay;
    post "/v1/executions/{id}/revoke-lease" => executions::operate::revoke;
    post "/v1/executions/{id}/resume" => executions::operate::resume;
    put "/v1/executions/{id}/priority" => executions::operate::priority;
    post "/v1/executions/{id}/block" => executions::block::block;
    post "/v1/executions/{id}/unblock" => executions::block::unblock;
    post "/v1/executions/{id}/hold" => executions::block::hold;
    post "/v1/executions/{id}/unhold" => executions::block::unhold;
    post "/v1/executions/{id}/complete" => executions::overrides::complete;
    post "/v1/executions/{id}/fail" => executions::overrides::fail;
    post "/v1/executions/{id}/delay" => executions::overrides::delay;
    get "/v1/executions/{id}/tags" => executions::tags::get;
    patch "/v1/executions/{id}/tags" => executions::tags::set;
    get "/v1/executions/{id}/operations" => executions::operate::operations;
    post "/v1/executions/{id}/signal" => signals::send::signal;
    post "/v1/executions/{id}/operator-signal" => signals::send::operator_signal;
    post "/v1/executions/{id}/approve" => signals::approval::approve;
    post "/v1/executions/{id}/reject" => signals::approval::reject;
    get "/v1/executions/{id}/signals" => executions::suspensions::signals;
    get "/v1/executions/{id}/suspensions" => executions::suspensions::list;
    get "/v1/executions/{id}/waitpoints" => waitpoints::list::list;
    post "/v1/executions/{id}/waitpoints/{waitpoint}/close" => waitpoints::list::close;
    post "/v1/executions/{id}/waitpoints/{waitpoint}/token" => waitpoints::list::token;
    get "/v1/waitpoints" => waitpoints::list::pending;
    post "/v1/callbacks/{token}" => signals::callbacks::callback;
    get "/v1/suspended" => executions::suspended::suspended;
    get "/v1/leases/expired" => leases::expired::expired;
    post "/v1/components" => components::publish::publish;
    get "/v1/components" => components::list::list;
    get "/v1/components/{digest}" => components::list::get;
    get "/v1/components/{digest}/publish" => components::publish::publication;
    get "/v1/kinds" => components::kinds::list;
    put "/v1/kinds/{kind}" => components::kinds::define;
    put "/v1/kinds/{kind}/routes" => components::kinds::route;
    get "/v1/lanes" => lanes::list::list;
    put "/v1/lanes/{lane}" => lanes::list::set;
    get "/v1/lanes/{lane}/eligible" => grants::verbs::eligible;
    post "/v1/workers" => workers::registry::register;
    get "/v1/workers" => workers::registry::list;
    get "/v1/workers/{worker_instance_id}" => workers::registry::get;
    delete "/v1/workers/{worker_instance_id}" => workers::registry::retire;
    post "/v1/workers/{worker_instance_id}/heartbeat" => workers::registry::heartbeat;
    post "/v1/workers/{worker_instance_id}/dead" => workers::registry::dead;
    post "/v1/workers/{worker_instance_id}/claim" => leases::claim::claim;
    post "/v1/workers/{worker_instance_id}/claim-grant" => grants::verbs::claim_for_worker;
    post "/v1/leases/renew" => leases::verbs::renew;
    post "/v1/leases/complete" => leases::verbs::complete;
    post "/v1/leases/fail" => leases::verbs::fail;
    post "/v1/leases/delay" => leases::verbs::delay;
    post "/v1/leases/release" => leases::verbs::release;
    post "/v1/leases/cancel" => leases::verbs::cancel;
    post "/v1/leases/progress" => leases::verbs::progress;
    post "/v1/leases/suspend" => leases::suspend::suspend;
    post "/v1/leases/waitpoints" => leases::suspend::create_waitpoint;
    post "/v1/leases/signals" => leases::suspend::observe;
    post "/v1/executions/{id}/claim-grant" => grants::verbs::issue_claim;
    post "/v1/executions/{id}/reclaim-grant" => grants::verbs::issue_reclaim;
    post "/v1/grants/claim" => grants::verbs::claim;
    post "/v1/grants/reclaim" => grants::verbs::reclaim;
    get "/v1/namespaces" => lanes::namespaces::list;
    put "/v1/namespaces/{namespace}" => lanes::namespaces::set;
    get "/v1/waitpoint-keys" => waitpoints::keys::list;
    post "/v1/waitpoint-keys/rotate" => waitpoints::keys::rotate;
    post "/v1/waitpoint-keys/{kid}/retire" => waitpoints::keys::retire;
    get "/healthz" => ops::health::healthz;
    get "/readyz" => ops::health::readyz;
    get "/metrics" => ops::metrics::metrics;
    get "/openapi.json" => openapi::openapi;
}

/// Longest a request that waits may take beyond what it asked for.
const WAIT_SLACK: Duration = Duration::from_secs(10);

/// Makes the router.
pub fn router(app: App) -> Router {
    table()
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_methods)
        .layer(middleware::map_response(answer::written))
        .layer(middleware::from_fn_with_state(app.clone(), bounded))
        .with_state(app)
}

async fn nothing_here(State(app): State<App>, request: Request) -> Response {
    if request.uri().path().starts_with(callbacks::PATH) {
        return callbacks::nearly(app, request).await;
    }
    let path = text::quoted(request.uri().path().as_bytes());
    let detail = format!("there is no {path} here; GET /openapi.json lists what there is");
    Problem::new(Code::NotFound, detail).into_response()
}

async fn other_methods(request: Request) -> Response {
    if request.uri().path().starts_with(callbacks::PATH) {
        return callbacks::other_methods(&request);
    }
    Problem::new(
        Code::MethodNotAllowed,
        "this path has other methods; the header Allow names them",
    )
    .into_response()
}

/// Lets a request in, gives it its time, counts it, and keeps browsers from guessing
/// types.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let _counted = app.counters.begin();
    let is_callback = request.uri().path().starts_with(callbacks::PATH);
    let admitted = app
        .gate
        .admit(request.method(), request.uri(), request.headers());
    let mut response = match admitted {
        Err(refused) => refused.into_response(),
        Ok(Admitted {
            allowed_origin: None,
        }) => answered(&app, request, next).await,
        Ok(Admitted {
            allowed_origin: Some(origin),
        }) => {
            let mut response = match browsers::preflight(request.method(), request.headers()) {
                Some(response) => response,
                None => answered(&app, request, next).await,
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
        response.headers_mut().extend(waitpoints::list::NO_STORE);
    }
    app.counters.count(response.status());
    response
}

/// Answers within the time of the route.
async fn answered(app: &App, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let prefers = request.headers().contains_key(prefer::PREFER);
    let waits =
        path.ends_with("/wait") || path.ends_with("/claim") || path == "/v1/executions" && prefers;
    // Its body may take as long as any other before it waits.
    let publishes = path == "/v1/components" || path.ends_with("/publish");
    let timeout = if publishes {
        app.http.request_timeout() + wait::TIMEOUT_MAX + WAIT_SLACK
    } else if waits {
        wait::TIMEOUT_MAX + WAIT_SLACK
    } else {
        app.http.request_timeout()
    };
    guarded(timeout, next.run(request)).await
}

/// Answers in time, and also when a handler panics.
async fn guarded(timeout: Duration, answer: impl Future<Output = Response>) -> Response {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(response)) => response,
        // The hook for panics has written where and why.
        Ok(Err(_)) => {
            tracing::error!("a request was given up because its handler panicked");
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
