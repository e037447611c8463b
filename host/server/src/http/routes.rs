//! Every route, once: the router is made from this table, and a test holds the
//! OpenAPI document against it.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing;

use super::problem::{Code, Problem};
use super::{
    App, answer, block, callbacks, cancel, claim, components, create, create_batch, decide,
    expired, grants, health, kinds, lanes, leases, list, metrics, namespaces, openapi, operate,
    overrule, read, signal, suspend, suspended, suspensions, tags, wait, waitpoint_keys,
    waitpoints, workers,
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
    post "/v1/executions" => create::create;
    get "/v1/executions" => list::list;
    post "/v1/executions/batch" => create_batch::create_batch;
    get "/v1/executions/{id}" => read::get;
    get "/v1/executions/{id}/input" => read::input;
    get "/v1/executions/{id}/policy" => read::policy;
    get "/v1/executions/{id}/result" => read::result;
    get "/v1/executions/{id}/wait" => wait::wait;
    get "/v1/executions/{id}/attempts" => read::attempts;
    get "/v1/executions/{id}/history" => read::history;
    post "/v1/executions/{id}/cancel" => cancel::cancel;
    post "/v1/executions/{id}/expire" => operate::expire;
    post "/v1/executions/{id}/replay" => operate::replay;
    post "/v1/executions/{id}/revoke-lease" => operate::revoke;
    post "/v1/executions/{id}/resume" => operate::resume;
    put "/v1/executions/{id}/priority" => operate::priority;
    post "/v1/executions/{id}/block" => block::block;
    post "/v1/executions/{id}/unblock" => block::unblock;
    post "/v1/executions/{id}/hold" => block::hold;
    post "/v1/executions/{id}/unhold" => block::unhold;
    post "/v1/executions/{id}/complete" => overrule::complete;
    post "/v1/executions/{id}/fail" => overrule::fail;
    post "/v1/executions/{id}/delay" => overrule::delay;
    get "/v1/executions/{id}/tags" => tags::get;
    patch "/v1/executions/{id}/tags" => tags::set;
    get "/v1/executions/{id}/operations" => operate::operations;
    post "/v1/executions/{id}/signal" => signal::signal;
    post "/v1/executions/{id}/operator-signal" => signal::operator_signal;
    post "/v1/executions/{id}/approve" => decide::approve;
    post "/v1/executions/{id}/reject" => decide::reject;
    get "/v1/executions/{id}/signals" => suspensions::signals;
    get "/v1/executions/{id}/suspensions" => suspensions::list;
    get "/v1/executions/{id}/waitpoints" => waitpoints::list;
    post "/v1/executions/{id}/waitpoints/{waitpoint}/close" => waitpoints::close;
    post "/v1/executions/{id}/waitpoints/{waitpoint}/token" => waitpoints::token;
    get "/v1/waitpoints" => waitpoints::pending;
    post "/v1/callbacks/{token}" => callbacks::callback;
    get "/v1/suspended" => suspended::suspended;
    get "/v1/leases/expired" => expired::expired;
    post "/v1/components" => components::publish;
    get "/v1/components" => components::list;
    get "/v1/components/{digest}" => components::get;
    get "/v1/kinds" => kinds::list;
    put "/v1/kinds/{kind}" => kinds::define;
    put "/v1/kinds/{kind}/routes" => kinds::route;
    get "/v1/lanes" => lanes::list;
    put "/v1/lanes/{lane}" => lanes::set;
    get "/v1/lanes/{lane}/eligible" => grants::eligible;
    post "/v1/workers" => workers::register;
    get "/v1/workers" => workers::list;
    get "/v1/workers/{worker_instance_id}" => workers::get;
    delete "/v1/workers/{worker_instance_id}" => workers::retire;
    post "/v1/workers/{worker_instance_id}/heartbeat" => workers::heartbeat;
    post "/v1/workers/{worker_instance_id}/dead" => workers::dead;
    post "/v1/workers/{worker_instance_id}/claim" => claim::claim;
    post "/v1/workers/{worker_instance_id}/claim-grant" => grants::claim_for_worker;
    post "/v1/leases/renew" => leases::renew;
    post "/v1/leases/complete" => leases::complete;
    post "/v1/leases/fail" => leases::fail;
    post "/v1/leases/delay" => leases::delay;
    post "/v1/leases/release" => leases::release;
    post "/v1/leases/cancel" => leases::cancel;
    post "/v1/leases/progress" => leases::progress;
    post "/v1/leases/suspend" => suspend::suspend;
    post "/v1/leases/waitpoints" => suspend::create_waitpoint;
    post "/v1/leases/signals" => suspend::observe;
    post "/v1/executions/{id}/claim-grant" => grants::issue_claim;
    post "/v1/executions/{id}/reclaim-grant" => grants::issue_reclaim;
    post "/v1/grants/claim" => grants::claim;
    post "/v1/grants/reclaim" => grants::reclaim;
    get "/v1/namespaces" => namespaces::list;
    put "/v1/namespaces/{namespace}" => namespaces::set;
    get "/v1/waitpoint-keys" => waitpoint_keys::list;
    post "/v1/waitpoint-keys/rotate" => waitpoint_keys::rotate;
    post "/v1/waitpoint-keys/{kid}/retire" => waitpoint_keys::retire;
    get "/healthz" => health::healthz;
    get "/readyz" => health::readyz;
    get "/metrics" => metrics::metrics;
    get "/openapi.json" => openapi::openapi;
}

/// Longest a `/wait` or a `/claim` may take beyond what it asked for.
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

async fn nothing_here(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(
        Code::NotFound,
        format!("there is no {path} here; GET /openapi.json lists what there is"),
    )
}

async fn other_methods(uri: Uri) -> Problem {
    if uri.path().starts_with(callbacks::PATH) {
        return callbacks::other_methods();
    }
    Problem::new(
        Code::MethodNotAllowed,
        "this path has other methods; the header Allow names them",
    )
}

/// Gives every request its time, counts it, and keeps browsers from guessing
/// types.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let prefers = request.headers().contains_key(create::PREFER);
    let waits =
        path.ends_with("/wait") || path.ends_with("/claim") || path == "/v1/executions" && prefers;
    let is_callback = path.starts_with(callbacks::PATH);
    let timeout = if waits {
        wait::TIMEOUT_MAX + WAIT_SLACK
    } else {
        app.http.request_timeout()
    };
    let _counted = app.counters.begin();
    let mut response = match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            Code::Unavailable,
            format!(
                "no answer within {} ms; whether the request took effect is unknown: ask again",
                timeout.as_millis()
            ),
        )
        .into_response(),
    };
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_callback {
        response.headers_mut().extend(waitpoints::NO_STORE);
    }
    app.counters.count(response.status());
    response
}
