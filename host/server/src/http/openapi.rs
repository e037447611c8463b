//! `/openapi.json`: the API's own description.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::{components, executions, grants, lanes, leases, ops, signals, waitpoints, workers};
use crate::api::ClosedAnswers;

/// Gathers what stands beside each handler.
#[derive(OpenApi)]
#[openapi(
    modifiers(&ClosedAnswers),
    info(
        title = "flowhost",
        description = "A durable execution engine over Postgres whose worker handlers are WebAssembly components. Problems are `application/problem+json` with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        executions::create::create, executions::list::list, executions::batch::create_batch,
        executions::get::get, executions::get::input, executions::get::policy, executions::get::result, executions::wait::wait, executions::get::attempts, executions::get::history, executions::cancel::cancel,
        executions::operate::expire, executions::operate::replay, executions::operate::revoke, executions::operate::resume,
        executions::operate::priority,
        executions::block::block, executions::block::unblock, executions::block::hold, executions::block::unhold,
        executions::overrides::complete, executions::overrides::fail, executions::overrides::delay,
        signals::send::signal, signals::send::operator_signal, signals::approval::approve, signals::approval::reject,
        executions::suspensions::signals, executions::suspensions::list, waitpoints::list::list, waitpoints::list::close,
        waitpoints::list::token, waitpoints::list::pending, signals::callbacks::callback,
        executions::tags::get, executions::tags::set, executions::operate::operations, leases::expired::expired, executions::suspended::suspended,
        components::publish::publish, components::publish::publication, components::list::list, components::list::get,
        components::kinds::list, components::kinds::define, components::kinds::route,
        lanes::list::list, lanes::list::set, lanes::namespaces::list, lanes::namespaces::set,
        workers::registry::register, workers::registry::list, workers::registry::get, workers::registry::retire, workers::registry::heartbeat,
        workers::registry::dead, leases::claim::claim,
        leases::verbs::renew, leases::verbs::complete, leases::verbs::fail, leases::verbs::delay, leases::verbs::release,
        leases::verbs::cancel, leases::verbs::progress, leases::suspend::suspend, leases::suspend::create_waitpoint,
        leases::suspend::observe,
        grants::verbs::eligible, grants::verbs::issue_claim, grants::verbs::issue_reclaim, grants::verbs::claim_for_worker,
        grants::verbs::claim, grants::verbs::reclaim,
        waitpoints::keys::list, waitpoints::keys::rotate, waitpoints::keys::retire,
        ops::health::healthz, ops::health::readyz, ops::metrics::metrics, openapi,
    ),
    tags(
        (name = "executions", description = "Units of work"),
        (name = "signals", description = "What suspended executions wait for"),
        (name = "components", description = "What handles them"),
        (name = "kinds", description = "Which component handles which kind"),
        (name = "lanes", description = "Queues, and who gets how much of their service"),
        (name = "workers", description = "Programs that claim and run executions"),
        (name = "leases", description = "What a worker does with what it claimed"),
        (name = "grants", description = "Claims in two steps, for schedulers outside"),
        (name = "waitpoint-keys", description = "Keys that waitpoint tokens are signed with"),
        (name = "operations", description = "Health and metrics"),
    )
)]
struct Document;

/// Returns the document as indented JSON.
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        Document::openapi()
            .to_pretty_json()
            .unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    });
    &TEXT
}

/// Returns this document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "An OpenAPI 3.1 document", content_type = "application/json"))
)]
pub async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Code, ROUTES};
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn parsed() -> Value {
        serde_json::from_str(document()).expect("the document is JSON")
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document = parsed();
        let paths = document["paths"].as_object().expect("paths");
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().expect("an item").keys();
                methods.map(move |method| (method.clone(), path.clone()))
            })
            .collect();
        let routed: BTreeSet<_> = ROUTES
            .iter()
            .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn the_document_has_every_problem_code() {
        let document = parsed();
        let codes = &document["components"]["schemas"]["ProblemBody"]["properties"]["code"]["enum"];
        let described: Vec<_> = codes
            .as_array()
            .expect("an enum")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let known: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(described, known);
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document = parsed();
        let text = document.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().expect("a name");
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
    }
}
