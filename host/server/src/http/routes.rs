//! Every route, once. From this table come the router, the OpenAPI document and the
//! limits of each request; method and path stand beside the handler, in its
//! `utoipa::path`. What has no line here is not served.

use std::sync::LazyLock;

use axum::http::Method;
use axum::routing::{self, MethodFilter, MethodRouter};
use utoipa::OpenApi;

use super::limits::{BodyLimit, RouteLimits, TimeLimit};
use super::{
    App, components, executions, grants, lanes, leases, openapi, ops, signals, waitpoints, workers,
};

/// A line of the table.
pub struct Route {
    /// The method of its requests.
    pub method: Method,
    /// The path, with the names of its parameters in braces.
    pub path: String,
    /// What bounds its requests.
    pub limits: RouteLimits,
    /// The handler, behind a filter for the method.
    pub handler: fn(MethodFilter) -> MethodRouter<App>,
    /// The OpenAPI document of this route alone.
    pub document: utoipa::openapi::OpenApi,
}

macro_rules! routes {
    ($($($handler:ident)::+ => $time:ident, $body:ident;)+) => {
        /// Every route of the API.
        pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| vec![$({
            #[derive(OpenApi)]
            #[openapi(paths($($handler)::+))]
            struct Documented;
            route(
                Documented::openapi(),
                RouteLimits { time: TimeLimit::$time, body: BodyLimit::$body },
                |method| routing::on(method, $($handler)::+),
            )
        },)+]);
    };
}

// Handler, how long a request may take, how large its body may be.
routes! {
    executions::create::create => MayPrefer, Input;
    executions::list::list => Short, None;
    executions::batch::create_batch => Short, Batch;
    executions::get::get => Short, None;
    executions::get::input => Short, None;
    executions::get::policy => Short, None;
    executions::get::result => Short, None;
    executions::wait::wait => Waits, None;
    executions::timeline::attempts => Short, None;
    executions::timeline::history => Short, None;
    executions::cancel::cancel => Short, Result;
    executions::operate::expire => Short, Result;
    executions::operate::replay => Short, Result;
    executions::operate::revoke => Short, Result;
    executions::operate::resume => Short, Result;
    executions::operate::priority => Short, Result;
    executions::block::block => Short, Result;
    executions::block::unblock => Short, Result;
    executions::block::hold => Short, Result;
    executions::block::unhold => Short, Result;
    executions::overrides::complete => Short, Result;
    executions::overrides::fail => Short, Result;
    executions::overrides::delay => Short, Result;
    executions::tags::get => Short, None;
    executions::tags::set => Short, Result;
    executions::operate::operations => Short, None;
    signals::send::signal => Short, Signal;
    signals::send::operator_signal => Short, Result;
    signals::approval::approve => Short, Result;
    signals::approval::reject => Short, Result;
    executions::suspensions::signals => Short, None;
    executions::suspensions::list => Short, None;
    waitpoints::list::list => Short, None;
    waitpoints::operate::close => Short, Result;
    waitpoints::operate::token => Short, Result;
    waitpoints::list::pending => Short, None;
    signals::callbacks::callback => Short, Signal;
    executions::suspended::suspended => Short, None;
    leases::expired::expired => Short, None;
    components::publish::publish => Publishes, Component;
    components::list::list => Short, None;
    components::list::get => Short, None;
    components::publish::publication => Publishes, None;
    components::kinds::list => Short, None;
    components::kinds::define => Short, Small;
    components::kinds::route => Short, Small;
    lanes::list::list => Short, None;
    lanes::list::set => Short, Small;
    grants::issue::eligible => Short, None;
    workers::registry::register => Short, Small;
    workers::registry::list => Short, None;
    workers::registry::get => Short, None;
    workers::registry::retire => Short, None;
    workers::registry::heartbeat => Short, None;
    workers::registry::dead => Short, Small;
    leases::claim::claim => Waits, Small;
    grants::issue::claim_for_worker => Short, Small;
    leases::verbs::renew => Short, Batch;
    leases::verbs::complete => Short, Batch;
    leases::verbs::fail => Short, Batch;
    leases::verbs::delay => Short, Batch;
    leases::verbs::release => Short, Batch;
    leases::verbs::cancel => Short, Batch;
    leases::verbs::progress => Short, Batch;
    leases::suspend::suspend => Short, Batch;
    leases::suspend::create_waitpoint => Short, Small;
    leases::suspend::observe => Short, Small;
    grants::issue::issue_claim => Short, Small;
    grants::issue::issue_reclaim => Short, Small;
    grants::redeem::claim => Short, Small;
    grants::redeem::reclaim => Short, Small;
    lanes::namespaces::list => Short, None;
    lanes::namespaces::set => Short, Small;
    waitpoints::keys::list => Short, None;
    waitpoints::keys::rotate => Short, Small;
    waitpoints::keys::retire => Short, Small;
    ops::health::healthz => Short, None;
    ops::health::readyz => Short, None;
    ops::metrics::metrics => Short, None;
    openapi::openapi => Short, None;
}

fn route(
    document: utoipa::openapi::OpenApi,
    limits: RouteLimits,
    handler: fn(MethodFilter) -> MethodRouter<App>,
) -> Route {
    let (path, item) = document.paths.paths.first_key_value().expect("one path");
    let methods = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let found = methods.iter().find(|(_, operation)| operation.is_some());
    let (method, _) = found.expect("one of the methods of this API");
    let (method, path) = (method.clone(), path.clone());
    Route {
        method,
        path,
        limits,
        handler,
        document,
    }
}

impl Route {
    /// Returns the handler for requests of the method of this route.
    pub fn serve(&self) -> MethodRouter<App> {
        let filter = MethodFilter::try_from(self.method.clone());
        (self.handler)(filter.expect("the API has only methods that can be filtered"))
    }
}
