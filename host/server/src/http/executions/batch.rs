//! `POST /v1/executions/batch`: creates up to 1,000 executions, each with its
//! own verdict.

use axum::extract::State;
use axum::http::HeaderMap;
use model::{Invalid, Limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::create::of_request;
use crate::api::{BatchResults, BatchVerdict, CreatedExecution};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json, unless_unavailable};
use crate::http::body::{self, Body, at_most};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::http::transport::headers;

/// The items of a batch. They are read one by one, so that a malformed one is refused alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    executions: Vec<Box<RawValue>>,
}

/// Creates up to 1,000 executions.
///
/// The answer has one verdict for each item, in the order given, with the status
/// and body a single create would have had. Items are independent: some may be
/// created and others refused. Each has an idempotency key of its own; the header is
/// refused.
#[utoipa::path(
    post, path = "/v1/executions/batch", tag = "executions",
    params(
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed to the handlers"),
    ),
    request_body = crate::api::CreateBatch,
    responses((status = 200, body = BatchResults))
)]
pub async fn create_batch(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    headers: HeaderMap,
    Body(batch): Body<Batch>,
) -> Answer<BatchResults> {
    if headers.contains_key(headers::IDEMPOTENCY_KEY) {
        let detail = "names one request, and each item of a batch is one: give the items keys of their own instead of the header";
        return Err(Invalid::new("idempotency_key", detail).into());
    }
    at_most(
        "executions",
        batch.executions.len(),
        Limits::CREATE_BATCH_MAX,
    )?;
    // Asked once, also where no item can be read.
    caller.scope();
    let mut creates = Vec::with_capacity(batch.executions.len());
    let mut read = |item: &RawValue| -> Result<(), Problem> {
        let mut create = of_request(body::parse(item.get().as_bytes())?)?.asked_by(&caller)?;
        create.traceparent = headers::traceparent(&headers);
        creates.push(create);
        Ok(())
    };
    let items: Vec<_> = batch.executions.iter().map(|item| read(item)).collect();
    drop(batch);
    let mut answers = app.engine.create_batch(creates).await.into_iter();
    let created = items.into_iter().map(|item| {
        item?;
        let answer = answers.next().expect("the engine answers each create");
        Ok(CreatedExecution::from(answer?))
    });
    let results = unless_unavailable(created.collect())?
        .into_iter()
        .map(|verdict| match verdict {
            Ok(execution) => BatchVerdict {
                status: if execution.duplicate { 200 } else { 201 },
                execution: Some(execution),
                problem: None,
            },
            Err(problem) => BatchVerdict {
                status: problem.code.status().as_u16(),
                execution: None,
                problem: serde_json::to_value(&problem).ok(),
            },
        })
        .collect();
    Ok(Json(BatchResults { results }))
}
