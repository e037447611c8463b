//! The problems that each operation may answer with, by status.
//!
//! Which statuses those are follows from what bounds the route and from what it reads; the
//! codes of a status are those of the table in `code.rs`. Each status is described once, and
//! operations refer to it.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use utoipa::ToSchema as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Components, Content, Ref, RefOr, Response};

use crate::api::ProblemBody;
use crate::http::access::{Access, Within};
use crate::http::limits::{BodyLimit, TimeLimit};
use crate::http::problem::Code;
use crate::http::routes::Route;

/// Statuses of requests that meet no handler, or one without an answer.
const OF_ALL: &[StatusCode] = &[
    StatusCode::BAD_REQUEST,
    StatusCode::FORBIDDEN,
    StatusCode::URI_TOO_LONG,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];
/// Statuses of requests whose body is read.
const OF_BODIES: &[StatusCode] = &[
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// Refers to the problems that an operation may answer with. What it says of a status
/// itself stays.
pub fn refer(operation: &mut Operation, route: &Route) {
    for status in statuses(operation, route) {
        let responses = &mut operation.responses.responses;
        let reference = || RefOr::Ref(Ref::from_response_name(name(status)));
        responses
            .entry(status.as_str().to_owned())
            .or_insert_with(reference);
    }
    let any = problem("Another problem, such as one of something between caller and host");
    let responses = &mut operation.responses.responses;
    responses.insert("default".to_owned(), RefOr::T(any));
}

/// Describes the problems of each status.
pub fn describe(components: &mut Components) {
    let statuses: BTreeSet<_> = Code::all().into_iter().map(Code::status).collect();
    for status in statuses {
        let codes: Vec<_> = Code::all()
            .into_iter()
            .filter(|code| code.status() == status)
            .map(|code| format!("`{}`", code.as_str()))
            .collect();
        let response = problem(&codes.join(", "));
        components.responses.insert(name(status), response.into());
    }
}

fn statuses(operation: &Operation, route: &Route) -> BTreeSet<StatusCode> {
    let mut all: BTreeSet<_> = OF_ALL.iter().copied().collect();
    if route.access != Access::Public {
        all.insert(StatusCode::UNAUTHORIZED);
    }
    if operation.parameters.iter().flatten().next().is_some() {
        all.insert(StatusCode::UNPROCESSABLE_ENTITY);
    }
    if names_something(route) {
        all.insert(StatusCode::NOT_FOUND);
    }
    if route.limits.time == TimeLimit::Follows {
        all.insert(StatusCode::GONE);
    }
    if route.limits.body != BodyLimit::None {
        all.extend(OF_BODIES);
    }
    if route.method != Method::GET {
        all.insert(StatusCode::CONFLICT);
    }
    all
}

/// Returns whether requests are about something that may not exist: by the path, or by a
/// handle.
fn names_something(route: &Route) -> bool {
    let by_handle = matches!(
        route.access,
        Access::Wants {
            within: Within::Handle,
            ..
        }
    );
    by_handle || route.path.contains('{')
}

/// Returns the name under which the problems of a status are described.
fn name(status: StatusCode) -> String {
    let words = status.canonical_reason().unwrap_or_default();
    words.split([' ', '-']).collect()
}

fn problem(description: &str) -> Response {
    let body = Content::new(Some(Ref::from_schema_name(ProblemBody::name())));
    Response::builder()
        .description(description)
        .content("application/problem+json", body)
        .build()
}
