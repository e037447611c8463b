//! `POST /v1/executions/batch`: creates up to 1,000 executions, each with its
//! own verdict.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use model::{Invalid, Limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{BatchResults, BatchVerdict, CreatedExecution};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::executions::create::{KEY_HEADER, of_request, traceparent};
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;

/// Items are read one by one, so that a malformed one is refused alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
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
    responses(
        (status = 200, body = BatchResults),
        (status = "default", body = crate::api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn create_batch(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchResults>, Problem> {
    query.end()?;
    if headers.contains_key(KEY_HEADER) {
        let detail = "names one request, and each item of a batch is one: give the items keys of their own instead of the header";
        return Err(Invalid::new("idempotency_key", detail).into());
    }
    let bytes = app.batch_body().read(&headers, body).await?;
    let batch: Batch = body::json(&headers, &bytes)?;
    if batch.executions.len() > Limits::CREATE_BATCH_MAX {
        let given = batch.executions.len();
        let max = Limits::CREATE_BATCH_MAX;
        let detail = format!("holds {given} items; at most {max} may be given");
        return Err(Invalid::new("executions", detail).into());
    }
    let mut verdicts = Vec::with_capacity(batch.executions.len());
    let mut creates = Vec::with_capacity(batch.executions.len());
    for item in &batch.executions {
        match body::parse(item.get().as_bytes()).and_then(of_request) {
            Ok(mut create) => {
                create.traceparent = traceparent(&headers);
                creates.push(create);
                verdicts.push(None);
            }
            Err(problem) => verdicts.push(Some(problem)),
        }
    }
    drop(batch);
    let mut answers = app.engine.create_batch(creates).await.into_iter();
    let mut results = Vec::with_capacity(verdicts.len());
    for refused in verdicts {
        let verdict = match refused {
            Some(problem) => Err(problem),
            None => match answers.next() {
                Some(answer) => answer.map_err(Problem::from),
                None => Err(Problem::new(Code::Internal, "the engine gave no verdict")),
            },
        };
        results.push(verdict);
    }
    // A dead database is a problem of the request, not of each item.
    let unavailable = |verdict: &&Result<_, Problem>| matches!(verdict, Err(problem) if problem.code == Code::Unavailable);
    if let Some(Err(problem)) = results.iter().find(unavailable)
        && results.iter().all(|verdict| unavailable(&verdict))
    {
        return Err(problem.clone());
    }
    let results = results
        .into_iter()
        .map(|verdict| match verdict {
            Ok(created) => {
                let execution = CreatedExecution::from(created);
                BatchVerdict {
                    status: if execution.duplicate { 200 } else { 201 },
                    execution: Some(execution),
                    problem: None,
                }
            }
            Err(problem) => BatchVerdict {
                status: problem.code.status().as_u16(),
                execution: None,
                problem: serde_json::to_value(&problem).ok(),
            },
        })
        .collect();
    Ok(Json(BatchResults { results }))
}
