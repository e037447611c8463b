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
    ($($id:ident = $($handler:ident)::+ => $time:ident, $body:ident;)+) => {
        /// Every route of the API.
        pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| vec![$({
            #[derive(OpenApi)]
            #[openapi(paths($($handler)::+))]
            struct Documented;
            route(
                stringify!($id),
                Documented::openapi(),
                RouteLimits { time: TimeLimit::$time, body: BodyLimit::$body },
                |method| routing::on(method, $($handler)::+),
            )
        },)+]);
    };
}

// Operation id, handler, how long a request may take, how large its body may be. Clients
// are generated with a function for each id: the tag, which is the noun, and a verb.
routes! {
    executions_create = executions::create::create => MayPrefer, Input;
    executions_list = executions::list::list => Short, None;
    executions_create_batch = executions::batch::create_batch => Short, Batch;
    executions_get = executions::get::get => Short, None;
    executions_get_input = executions::get::input => Short, None;
    executions_get_policy = executions::get::policy => Short, None;
    executions_get_result = executions::get::result => Short, None;
    executions_wait = executions::wait::wait => Waits, None;
    executions_list_attempts = executions::timeline::attempts => Short, None;
    executions_list_history = executions::timeline::history => Short, None;
    executions_cancel = executions::cancel::cancel => Short, Result;
    executions_expire = executions::operate::expire => Short, Result;
    executions_replay = executions::operate::replay => Short, Result;
    executions_revoke_lease = executions::operate::revoke => Short, Result;
    executions_resume = executions::operate::resume => Short, Result;
    executions_set_priority = executions::operate::priority => Short, Result;
    executions_block = executions::block::block => Short, Result;
    executions_unblock = executions::block::unblock => Short, Result;
    executions_hold = executions::block::hold => Short, Result;
    executions_unhold = executions::block::unhold => Short, Result;
    executions_complete = executions::overrides::complete => Short, Result;
    executions_fail = executions::overrides::fail => Short, Result;
    executions_delay = executions::overrides::delay => Short, Result;
    executions_wait_children = executions::overrides::wait_children => Short, Result;
    executions_get_tags = executions::tags::get => Short, None;
    executions_set_tags = executions::tags::set => Short, Result;
    executions_list_operations = executions::operate::operations => Short, None;
    signals_send = signals::send::signal => Short, Signal;
    signals_send_as_operator = signals::send::operator_signal => Short, Result;
    signals_approve = signals::approval::approve => Short, Result;
    signals_reject = signals::approval::reject => Short, Result;
    signals_list = executions::suspensions::signals => Short, None;
    executions_list_suspensions = executions::suspensions::list => Short, None;
    waitpoints_list = waitpoints::list::list => Short, None;
    waitpoints_close = waitpoints::operate::close => Short, Result;
    waitpoints_mint_token = waitpoints::operate::token => Short, Result;
    waitpoints_list_pending = waitpoints::list::pending => Short, None;
    signals_send_to_callback = signals::callbacks::callback => Short, Signal;
    executions_list_suspended = executions::suspended::suspended => Short, None;
    leases_list_expired = leases::expired::expired => Short, None;
    components_publish = components::publish::publish => Publishes, Component;
    components_list = components::list::list => Short, None;
    components_get = components::list::get => Short, None;
    components_get_publication = components::publish::publication => Publishes, None;
    kinds_list = components::kinds::list => Short, None;
    kinds_define = components::kinds::define => Short, Small;
    kinds_set_routes = components::kinds::route => Short, Small;
    lanes_list = lanes::list::list => Short, None;
    lanes_set = lanes::list::set => Short, Small;
    grants_list_eligible = grants::issue::eligible => Short, None;
    workers_register = workers::registry::register => Short, Small;
    workers_list = workers::registry::list => Short, None;
    workers_get = workers::registry::get => Short, None;
    workers_retire = workers::registry::retire => Short, None;
    workers_heartbeat = workers::registry::heartbeat => Short, None;
    workers_mark_dead = workers::registry::dead => Short, Small;
    workers_claim = leases::claim::claim => Waits, Small;
    grants_issue_for_worker = grants::issue::claim_for_worker => Short, Small;
    leases_renew = leases::verbs::renew => Short, Batch;
    leases_complete = leases::verbs::complete => Short, Batch;
    leases_fail = leases::verbs::fail => Short, Batch;
    leases_delay = leases::verbs::delay => Short, Batch;
    leases_wait_children = leases::verbs::wait_children => Short, Batch;
    leases_release = leases::verbs::release => Short, Batch;
    leases_cancel = leases::verbs::cancel => Short, Batch;
    leases_report_progress = leases::verbs::progress => Short, Batch;
    leases_suspend = leases::suspend::suspend => Short, Batch;
    leases_create_waitpoint = leases::suspend::create_waitpoint => Short, Small;
    leases_close_waitpoint = leases::verbs::close_waitpoint => Short, Batch;
    leases_observe_signals = leases::suspend::observe => Short, Small;
    grants_issue_claim = grants::issue::issue_claim => Short, Small;
    grants_issue_reclaim = grants::issue::issue_reclaim => Short, Small;
    grants_redeem_claim = grants::redeem::claim => Short, Small;
    grants_redeem_reclaim = grants::redeem::reclaim => Short, Small;
    namespaces_list = lanes::namespaces::list => Short, None;
    namespaces_set = lanes::namespaces::set => Short, Small;
    waitpoint_keys_list = waitpoints::keys::list => Short, None;
    waitpoint_keys_rotate = waitpoints::keys::rotate => Short, Small;
    waitpoint_keys_seed = waitpoints::keys::seed => Short, Small;
    waitpoint_keys_retire = waitpoints::keys::retire => Short, Small;
    host_check_health = ops::health::healthz => Short, None;
    host_check_readiness = ops::health::readyz => Short, None;
    host_get_metrics = ops::metrics::metrics => Short, None;
    host_get_openapi = openapi::document::openapi => Short, None;
}

fn route(
    id: &str,
    mut document: utoipa::openapi::OpenApi,
    limits: RouteLimits,
    handler: fn(MethodFilter) -> MethodRouter<App>,
) -> Route {
    let paths = &mut document.paths.paths;
    let mut item = paths.first_entry().expect("one path");
    let path = item.key().clone();
    let item = item.get_mut();
    let methods = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    let found = methods
        .into_iter()
        .find_map(|(method, operation)| Some((method, operation.as_mut()?)));
    let (method, operation) = found.expect("one of the methods of this API");
    operation.operation_id = Some(id.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The first word behind the tag of every operation id.
    const VERBS: &str = "approve block cancel check claim close complete create define delay expire \
        fail get heartbeat hold issue list mark mint observe publish redeem register \
        reject release renew replay report resume retire revoke rotate send set \
        suspend unblock unhold wait";

    #[test]
    fn every_operation_id_is_a_noun_and_a_verb_and_names_one_operation() {
        let mut ids = BTreeSet::new();
        let mut verbs = BTreeSet::new();
        for route in ROUTES.iter() {
            let paths = serde_json::to_value(&route.document.paths).expect("writes");
            let method = route.method.as_str().to_lowercase();
            let operation = &paths[&route.path][method];
            let (id, tag) = (&operation["operationId"], &operation["tags"][0]);
            let (id, tag) = (id.as_str().expect("an id"), tag.as_str().expect("a tag"));
            let noun = format!("{}_", tag.replace('-', "_"));
            let verb = id.strip_prefix(&noun);
            let verb = verb.unwrap_or_else(|| panic!("{id} does not begin with {noun}"));
            let verb = verb.split('_').next().unwrap_or_default();
            let reads = ["check", "get", "list", "wait"].contains(&verb);
            assert_eq!(route.method == Method::GET, reads, "{id}");
            verbs.insert(verb.to_owned());
            assert!(ids.insert(id.to_owned()), "{id} names two operations");
        }
        let verbs: Vec<_> = verbs.into_iter().collect();
        assert_eq!(verbs.join(" "), VERBS, "the verbs of the API");
    }
}
