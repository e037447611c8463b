//! `/openapi.json`: the API's own description.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{Content, Ref, RefOr, Response, Schema};
use utoipa::{Modify as _, OpenApi};

use super::problem::Code;
use super::routes::ROUTES;
use crate::api::{ClosedAnswers, ProblemBody};

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
        whole()
            .to_pretty_json()
            .unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    });
    &TEXT
}

/// Puts the documents of all routes together. Each of them can answer with a problem.
fn whole() -> utoipa::openapi::OpenApi {
    let mut whole = Document::openapi();
    name_codes(&mut whole);
    for route in ROUTES.iter() {
        whole.merge(route.document.clone());
    }
    let problem = Response::builder().content(
        "application/problem+json",
        Content::new(Some(Ref::from_schema_name("ProblemBody"))),
    );
    let problem = RefOr::T(problem.build());
    for item in whole.paths.paths.values_mut() {
        let PathItem {
            get,
            put,
            post,
            patch,
            delete,
            ..
        } = item;
        for operation in [get, put, post, patch, delete].into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), problem.clone());
        }
    }
    ClosedAnswers.modify(&mut whole);
    whole
}

/// Names every code in the schema of problems.
fn name_codes(document: &mut utoipa::openapi::OpenApi) {
    let schemas = document.components.as_mut().map(|it| &mut it.schemas);
    if let Some(RefOr::T(Schema::Object(body))) =
        schemas.and_then(|schemas| schemas.get_mut("ProblemBody"))
        && let Some(RefOr::T(Schema::Object(code))) = body.properties.get_mut("code")
    {
        let codes = Code::all().into_iter().map(|code| code.as_str().into());
        code.enum_values = Some(codes.collect());
    }
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
        let codes = &document["components"]["schemas"]["ProblemBody"]["properties"]["code"]["enum"];
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
}
