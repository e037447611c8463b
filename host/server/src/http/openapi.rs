//! `/openapi.json`: the API's own description.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::{
    block, callbacks, cancel, claim, components, create, create_batch, decide, expired, grants,
    health, kinds, lanes, leases, list, metrics, namespaces, operate, overrule, publish, read,
    signal, suspend, suspended, suspensions, tags, wait, waitpoint_keys, waitpoints, workers,
};

/// Gathers what stands beside each handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "flowhost",
        description = "A durable execution engine over Postgres whose worker handlers are WebAssembly components. Problems are `application/problem+json` with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        create::create, list::list, create_batch::create_batch,
        read::get, read::input, read::policy, read::result, wait::wait, read::attempts, read::history, cancel::cancel,
        operate::expire, operate::replay, operate::revoke, operate::resume,
        operate::priority,
        block::block, block::unblock, block::hold, block::unhold,
        overrule::complete, overrule::fail, overrule::delay,
        signal::signal, signal::operator_signal, decide::approve, decide::reject,
        suspensions::signals, suspensions::list, waitpoints::list, waitpoints::close,
        waitpoints::token, waitpoints::pending, callbacks::callback,
        tags::get, tags::set, operate::operations, expired::expired, suspended::suspended,
        publish::publish, publish::publication, components::list, components::get,
        kinds::list, kinds::define, kinds::route,
        lanes::list, lanes::set, namespaces::list, namespaces::set,
        workers::register, workers::list, workers::get, workers::retire, workers::heartbeat,
        workers::dead, claim::claim,
        leases::renew, leases::complete, leases::fail, leases::delay, leases::release,
        leases::cancel, leases::progress, suspend::suspend, suspend::create_waitpoint,
        suspend::observe,
        grants::eligible, grants::issue_claim, grants::issue_reclaim, grants::claim_for_worker,
        grants::claim, grants::reclaim,
        waitpoint_keys::list, waitpoint_keys::rotate, waitpoint_keys::retire,
        health::healthz, health::readyz, metrics::metrics, openapi,
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
