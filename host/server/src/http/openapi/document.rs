//! The document, from the descriptions of all routes.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{Modify as _, OpenApi, ToSchema as _};

use super::{bounds, problems, unions};
use crate::api::{ClosedAnswers, ProblemBody};
use crate::http::access;
use crate::http::problem::Code;
use crate::http::routes::ROUTES;

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "flowhost",
        description = "A durable execution engine over Postgres whose worker handlers are WebAssembly components. Problems are `application/problem+json` with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    tags(
        (name = "executions", description = "Units of work"),
        (name = "flows", description = "Graphs of executions"),
        (name = "signals", description = "What suspended executions wait for"),
        (name = "waitpoints", description = "Where executions receive signals"),
        (name = "events", description = "What happened, as it happens"),
        (name = "components", description = "What handles them"),
        (name = "kinds", description = "Which component handles which kind"),
        (name = "lanes", description = "Queues, and how much service each gets"),
        (name = "namespaces", description = "How much service each gets within a lane"),
        (name = "workers", description = "Programs that claim and run executions"),
        (name = "leases", description = "What a worker does with what it claimed"),
        (name = "grants", description = "Claims in two steps, for schedulers outside"),
        (name = "waitpoint-keys", description = "Keys that waitpoint tokens are signed with"),
        (name = "webhooks", description = "Events that are sent to URLs"),
        (name = "host", description = "Health and metrics"),
    )
)]
struct Document;

/// Returns the document as indented JSON.
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        whole()
            .to_pretty_json()
            .unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    });
    &TEXT
}

/// Puts the documents of all routes together, with the problems that each can answer with.
pub fn whole() -> utoipa::openapi::OpenApi {
    let mut whole = Document::openapi();
    name_codes(&mut whole);
    let components = whole.components.get_or_insert_default();
    components.add_security_scheme(access::BEARER, access::scheme());
    problems::describe(components);
    for route in ROUTES.iter() {
        let mut document = route.document.clone();
        operations(&mut document).for_each(|operation| problems::refer(operation, route));
        whole.merge(document);
    }
    for operation in operations(&mut whole) {
        if let Some(body) = &mut operation.request_body {
            unions::leave_out(body);
        }
    }
    unions::name_branches(&mut whole);
    ClosedAnswers.modify(&mut whole);
    bounds::write(&mut whole);
    whole
}

/// Returns every operation of the document.
pub fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let PathItem {
            get,
            put,
            post,
            patch,
            delete,
            ..
        } = item;
        [get, put, post, patch, delete].into_iter().flatten()
    })
}

/// Names every code in the schema of problems.
fn name_codes(document: &mut utoipa::openapi::OpenApi) {
    let schemas = document.components.as_mut().map(|it| &mut it.schemas);
    if let Some(RefOr::T(Schema::Object(body))) =
        schemas.and_then(|schemas| schemas.get_mut(&*ProblemBody::name()))
        && let Some(RefOr::T(Schema::Object(code))) = body.properties.get_mut("code")
    {
        let codes = Code::all().into_iter().map(|code| code.as_str().into());
        code.enum_values = Some(codes.collect());
    }
}

/// Returns this document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "host",
    responses((status = 200, description = "An OpenAPI 3.1 document", content_type = "application/json"))
)]
pub async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn parsed() -> Value {
        serde_json::from_str(document()).expect("the document is JSON")
    }

    #[test]
    fn the_document_has_every_route() {
        let document = parsed();
        for route in ROUTES.iter() {
            let method = route.method.as_str().to_lowercase();
            let operation = &document["paths"][&route.path][method];
            assert!(
                operation["responses"]["default"].is_object(),
                "{}",
                route.path
            );
        }
    }

    #[test]
    fn the_document_has_every_problem_code() {
        let document = parsed();
        let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        let described: Vec<_> = codes
            .as_array()
            .expect("an enum")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let known: Vec<_> = Code::all().into_iter().map(Code::as_str).collect();
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

    /// Calls `visit` with every list of branches in the document.
    fn unions(value: &Value, visit: &mut impl FnMut(&[Value])) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if let ("oneOf" | "anyOf", Value::Array(branches)) = (name.as_str(), member) {
                        visit(branches);
                    }
                    unions(member, visit);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| unions(item, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_branch_of_a_union_is_a_schema_with_a_name() {
        let mut branches = 0;
        unions(&parsed(), &mut |union| {
            for branch in union {
                let named = branch["$ref"].is_string() || branch["type"] == "null";
                assert!(named, "without a title: {branch}");
                branches += 1;
            }
        });
        assert!(branches > 50, "{branches} branches were found");
    }

    #[test]
    fn tagged_unions_say_which_member_tells_their_branches_apart() {
        let document = parsed();
        for (union, member, value, branch) in [
            ("Backoff", "type", "exponential", "ExponentialBackoff"),
            ("CompositeBody", "kind", "AllOf", "AllOfBody"),
            ("SuspendedLease", "outcome", "suspended", "LeaseSuspended"),
        ] {
            let told = &document["components"]["schemas"][union]["discriminator"];
            assert_eq!(told["propertyName"], member);
            let reference = format!("#/components/schemas/{branch}");
            assert_eq!(told["mapping"][value], reference);
        }
    }

    #[test]
    fn a_body_is_left_out_and_never_null() {
        let document = parsed();
        let cancel = &document["paths"]["/v1/executions/{id}/cancel"]["post"]["requestBody"];
        assert_eq!(cancel["required"], false);
        let schema = &cancel["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/CancelExecution");
    }
}
