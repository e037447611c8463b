//! Every route, once. From this table come the router, the OpenAPI document, the limits of
//! each request and who may send it; method and path stand beside the handler, in its
//! `utoipa::path`. What has no line here is not served.

use std::sync::LazyLock;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodFilter, MethodRouter};
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Object, Required, Type};

use super::access::{self, Access, access};
use super::limits::{BodyLimit, RouteLimits, TimeLimit};
use super::transport::dry_run::{DRY_RUN, Rehearse};
use super::{
    App, audit, components, events, executions, flows, grants, lanes, leases, openapi, ops,
    signals, streams, tokens, waitpoints, webhooks, workers,
};

/// A line of the table.
pub struct Route {
    id: String,
    /// The method of its requests.
    pub method: Method,
    /// The path, with the names of its parameters in braces.
    pub path: String,
    /// What bounds its requests.
    pub limits: RouteLimits,
    /// Who may use it.
    pub access: Access,
    /// The handler, behind a filter for the method.
    pub handler: fn(MethodFilter) -> MethodRouter<App>,
    /// The handler by itself, if a request may ask what it would do.
    pub rehearse: Option<Rehearse>,
    /// The OpenAPI document of this route alone.
    pub document: utoipa::openapi::OpenApi,
}

macro_rules! routes {
    ($($id:ident = $($handler:ident)::+ => $time:ident, $body:ident,
        $role:ident $(in $within:ident)? $(, $rehearsed:ident)?;)+) => {
        /// Every route of the API.
        pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| vec![$({
            #[derive(OpenApi)]
            #[openapi(paths($($handler)::+))]
            struct Documented;
            route(
                stringify!($id),
                Documented::openapi(),
                RouteLimits { time: TimeLimit::$time, body: BodyLimit::$body },
                access!($role $(in $within)?),
                |method| routing::on(method, $($handler)::+),
                rehearsal!($($handler)::+ $(, $rehearsed)?),
            )
        },)+]);
    };
}

macro_rules! rehearsal {
    ($handler:path) => {
        None
    };
    ($handler:path, rehearsed) => {
        Some(|request, app| Box::pin(Handler::call($handler, request, app)))
    };
}

// Operation id, handler, how long a request may take, how large its body may be, which role
// its callers need and where the namespace comes from. Clients are generated with a function
// for each id: the tag, which is the noun, and a verb. And whether a request may ask what it
// would do, as every verb of an operator lets it.
routes! {
    executions_create = executions::create::create => MayPrefer, Input, Submitter in body, rehearsed;
    executions_list = executions::list::list => Short, None, Viewer in query;
    executions_create_batch = executions::batch::create_batch => Short, Batch, Submitter in body, rehearsed;
    executions_get = executions::get::get => Short, None, Viewer in query;
    executions_get_input = executions::get::input => Short, None, Viewer in query;
    executions_get_policy = executions::get::policy => Short, None, Viewer in query;
    executions_get_result = executions::get::result => Short, None, Viewer in query;
    executions_wait = executions::wait::wait => Waits, None, Viewer in query;
    executions_list_attempts = executions::timeline::attempts => Short, None, Viewer in query;
    streams_list_frames = streams::read::read => Short, None, Viewer in query;
    streams_wait_frames = streams::tail::tail => Follows, None, Viewer in query;
    streams_get_summary = streams::summary::get => Short, None, Viewer in query;
    streams_get_log = streams::log::read => Short, None, Viewer in query;
    streams_wait_log = streams::log::tail => Follows, None, Viewer in query;
    executions_list_history = executions::timeline::history => Short, None, Viewer in query;
    executions_cancel = executions::cancel::cancel => Short, Result, Operator in query, rehearsed;
    executions_expire = executions::operate::expire => Short, Result, Operator in query, rehearsed;
    executions_replay = executions::operate::replay => Short, Result, Operator in query, rehearsed;
    executions_revoke_lease = executions::operate::revoke => Short, Result, Operator in query, rehearsed;
    executions_resume = executions::operate::resume => Short, Result, Operator in query, rehearsed;
    executions_set_priority = executions::operate::priority => Short, Result, Operator in query, rehearsed;
    executions_block = executions::block::block => Short, Result, Operator in query, rehearsed;
    executions_unblock = executions::block::unblock => Short, Result, Operator in query, rehearsed;
    executions_hold = executions::block::hold => Short, Result, Operator in query, rehearsed;
    executions_unhold = executions::block::unhold => Short, Result, Operator in query, rehearsed;
    executions_complete = executions::overrides::complete => Short, Result, Operator in query, rehearsed;
    executions_fail = executions::overrides::fail => Short, Result, Operator in query, rehearsed;
    executions_delay = executions::overrides::delay => Short, Result, Operator in query, rehearsed;
    executions_await_children = executions::overrides::wait_children => Short, Result, Operator in query, rehearsed;
    executions_get_tags = executions::tags::get => Short, None, Viewer in query;
    executions_set_tags = executions::tags::set => Short, Result, Operator in query, rehearsed;
    executions_list_operations = executions::operate::operations => Short, None, Viewer in query;
    flows_create = flows::create::create => Short, Flow, Submitter in body, rehearsed;
    flows_list = flows::list::list => Short, None, Viewer in query;
    flows_get = flows::get::get => Short, None, Viewer in query;
    flows_list_members = flows::members::list => Short, None, Viewer in query;
    flows_grow = flows::grow::grow => Short, Flow, Submitter in query, rehearsed;
    flows_list_edges = flows::edges::list => Short, None, Viewer in query;
    flows_get_edge = flows::edges::get => Short, None, Viewer in query;
    flows_cancel = flows::operate::cancel => Waits, Small, Operator in query, rehearsed;
    flows_set_tags = flows::operate::tags => Short, Small, Operator in query, rehearsed;
    executions_get_flow = flows::get::of_execution => Short, None, Viewer in query;
    executions_list_children = flows::children::list => Short, None, Viewer in query;
    signals_send = signals::send::signal => Short, Signal, Submitter in query, rehearsed;
    signals_send_as_operator = signals::send::operator_signal => Short, Result, Operator in query, rehearsed;
    signals_approve = signals::approval::approve => Short, Result, Approver in query, rehearsed;
    signals_reject = signals::approval::reject => Short, Result, Approver in query, rehearsed;
    signals_list = executions::suspensions::signals => Short, None, Viewer in query;
    executions_list_suspensions = executions::suspensions::list => Short, None, Viewer in query;
    waitpoints_list = waitpoints::list::list => Short, None, Viewer in query;
    waitpoints_close = waitpoints::operate::close => Short, Result, Operator in query, rehearsed;
    waitpoints_mint_token = waitpoints::operate::token => Short, Result, Operator in query, rehearsed;
    waitpoints_list_pending = waitpoints::list::pending => Short, None, Viewer in query;
    signals_send_to_callback = signals::callbacks::callback => Short, Signal, Public;
    executions_list_suspended = executions::suspended::suspended => Short, None, Viewer in query;
    leases_list_expired = leases::expired::expired => Short, None, Viewer in query;
    events_list = events::read::list => Follows, None, Viewer in query;
    components_publish = components::publish::publish => Publishes, Component, Admin in instance;
    components_list = components::list::list => Short, None, Viewer in any;
    components_get = components::list::get => Short, None, Viewer in any;
    components_get_publication = components::publish::publication => Publishes, None, Admin in instance;
    kinds_list = components::kinds::list => Short, None, Viewer in any;
    kinds_define = components::kinds::define => Short, Small, Admin in instance, rehearsed;
    kinds_set_routes = components::kinds::route => Short, Small, Admin in instance, rehearsed;
    lanes_list = lanes::list::list => Short, None, Viewer in any;
    lanes_set = lanes::list::set => Short, Small, Admin in instance, rehearsed;
    grants_list_eligible = grants::issue::eligible => Short, None, Worker in query;
    workers_register = workers::registry::register => Short, Small, Worker in body;
    workers_list = workers::registry::list => Short, None, Viewer in query;
    workers_get = workers::registry::get => Short, None, Viewer in query;
    workers_retire = workers::registry::retire => Short, None, Worker in query, rehearsed;
    workers_heartbeat = workers::registry::heartbeat => Short, None, Worker in query;
    workers_mark_dead = workers::registry::dead => Short, Small, Operator in query, rehearsed;
    workers_claim = leases::claim::claim => Waits, Small, Worker in body;
    grants_issue_for_worker = grants::issue::claim_for_worker => Short, Small, Worker in query;
    leases_renew = leases::verbs::renew => Short, Batch, Worker in handle;
    leases_complete = leases::verbs::complete => Short, Batch, Worker in handle;
    leases_fail = leases::verbs::fail => Short, Batch, Worker in handle;
    leases_delay = leases::verbs::delay => Short, Batch, Worker in handle;
    leases_await_children = leases::verbs::wait_children => Short, Batch, Worker in handle;
    leases_release = leases::verbs::release => Short, Batch, Worker in handle;
    leases_cancel = leases::verbs::cancel => Short, Batch, Worker in handle;
    leases_report_progress = leases::verbs::progress => Short, Batch, Worker in handle;
    leases_start_children = flows::held::start => Short, Flow, Worker in handle;
    leases_read_results = flows::held::results => Short, Small, Worker in handle;
    leases_read_result = flows::held::result => Short, Small, Worker in handle;
    leases_append_frames = leases::append::append => Short, Batch, Worker in handle;
    leases_suspend = leases::suspend::suspend => Short, Batch, Worker in handle;
    leases_create_waitpoint = leases::suspend::create_waitpoint => Short, Small, Worker in handle;
    leases_close_waitpoint = leases::verbs::close_waitpoint => Short, Batch, Worker in handle;
    leases_observe_signals = leases::suspend::observe => Short, Small, Worker in handle;
    grants_issue_claim = grants::issue::issue_claim => Short, Small, Worker in query;
    grants_issue_reclaim = grants::issue::issue_reclaim => Short, Small, Worker in query;
    grants_redeem_claim = grants::redeem::claim => Short, Small, Worker in handle;
    grants_redeem_reclaim = grants::redeem::reclaim => Short, Small, Worker in handle;
    namespaces_list = lanes::namespaces::list => Short, None, Viewer in instance;
    namespaces_set = lanes::namespaces::set => Short, Small, Admin in instance, rehearsed;
    waitpoint_keys_list = waitpoints::keys::list => Short, None, Admin in instance;
    waitpoint_keys_rotate = waitpoints::keys::rotate => Short, Small, Admin in instance, rehearsed;
    waitpoint_keys_seed = waitpoints::keys::seed => Short, Small, Admin in instance, rehearsed;
    waitpoint_keys_retire = waitpoints::keys::retire => Short, Small, Admin in instance, rehearsed;
    webhooks_create = webhooks::change::create => Short, Small, Operator in body, rehearsed;
    webhooks_list = webhooks::list::list => Short, None, Operator in query;
    webhooks_get = webhooks::list::get => Short, None, Operator in query;
    webhooks_update = webhooks::change::update => Short, Small, Operator in query, rehearsed;
    webhooks_pause = webhooks::change::pause => Short, Small, Operator in query, rehearsed;
    webhooks_resume = webhooks::change::resume => Short, Small, Operator in query, rehearsed;
    webhooks_rotate = webhooks::change::rotate => Short, Small, Operator in query, rehearsed;
    webhooks_test = webhooks::change::test => Waits, None, Operator in query;
    webhooks_delete = webhooks::change::delete => Short, None, Operator in query, rehearsed;
    tokens_create = tokens::change::create => Short, Small, Admin in any, rehearsed;
    tokens_list = tokens::list::list => Short, None, Admin in any;
    tokens_get = tokens::list::get => Short, None, Admin in any;
    tokens_rotate = tokens::change::rotate => Short, Small, Admin in any, rehearsed;
    tokens_revoke = tokens::change::revoke => Short, Small, Admin in any, rehearsed;
    audit_list = audit::list::list => Short, None, Admin in query;
    audit_list_refusals = audit::list::refusals => Short, None, Admin in instance;
    host_check_health = ops::health::healthz => Short, None, Public;
    host_check_readiness = ops::health::readyz => Short, None, Public;
    host_get_login = ops::login::login => Short, None, Public;
    host_get_metrics = ops::metrics::metrics => Short, None, Viewer in instance;
    host_get_openapi = openapi::document::openapi => Short, None, Public;
}

fn route(
    id: &str,
    mut document: utoipa::openapi::OpenApi,
    limits: RouteLimits,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    rehearse: Option<Rehearse>,
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
    if rehearse.is_some() {
        document_dry_run(operation);
    }
    access::document(operation, access);
    Route {
        id: id.to_owned(),
        method,
        path,
        limits,
        access,
        handler,
        rehearse,
        document,
    }
}

/// Adds the parameter that asks what a request would do.
fn document_dry_run(operation: &mut Operation) {
    let about = "`true`: answers as the request would be answered now, and changes nothing; the answer has the header `flowhost-dry-run`. `false` when absent";
    let parameter = ParameterBuilder::new()
        .name(DRY_RUN)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(Object::with_type(Type::Boolean)));
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(parameter.build());
}

impl Route {
    /// Returns the id of its operation.
    pub fn operation(&self) -> &str {
        &self.id
    }

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
    const VERBS: &str = "append approve await block cancel check claim close complete create define delay delete expire \
        fail get grow heartbeat hold issue list mark mint observe pause publish read redeem register \
        reject release renew replay report resume retire revoke rotate seed send set \
        start suspend test unblock unhold update wait";

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
