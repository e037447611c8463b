//! Answers in JSON. One that cannot be written is a problem, also if its handler gave it
//! another status.

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::problem::{Code, Problem};

/// A body in JSON.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// Returns the status of an answer about something that is new, or was there before.
pub const fn created_or_ok(new: bool) -> StatusCode {
    if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

/// What most handlers answer: a body in JSON, or a problem.
pub type Answer<T> = Result<Json<T>, Problem>;

/// Marks an answer whose body could not be written.
#[derive(Debug, Clone, Copy)]
struct Unwritten;

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        const TYPE: HeaderValue = HeaderValue::from_static("application/json");
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, TYPE)], Bytes::from(body)).into_response(),
            Err(error) => {
                tracing::error!(%error, what = std::any::type_name::<T>(), "an answer cannot be written");
                let detail = format!("the answer cannot be written: {error}");
                let mut response = Problem::new(Code::Unreadable, detail).into_response();
                response.extensions_mut().insert(Unwritten);
                response
            }
        }
    }
}

/// Replaces the status that a handler gave to an answer that could not be written.
pub async fn written(mut response: Response) -> Response {
    if response.extensions_mut().remove::<Unwritten>().is_some() {
        *response.status_mut() = Code::Unreadable.status();
    }
    response
}

/// Returns the verdicts on many items. A database that is unavailable for all of them
/// is a problem of the request, not of each item.
///
/// # Errors
/// That problem.
pub fn unless_unavailable<T>(
    verdicts: Vec<Result<T, Problem>>,
) -> Result<Vec<Result<T, Problem>>, Problem> {
    let unavailable = |verdict: &Result<T, Problem>| matches!(verdict, Err(problem) if problem.code == Code::Unavailable);
    match verdicts.first() {
        Some(Err(problem)) if verdicts.iter().all(unavailable) => Err(problem.clone()),
        _ => Ok(verdicts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[derive(Serialize)]
    struct Dated {
        #[serde(with = "time::serde::rfc3339")]
        at: time::OffsetDateTime,
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_written_is_a_problem_with_any_status() {
        for (at, status, kind) in [
            (datetime!(2030-01-01 0:00 UTC), 202, "application/json"),
            (
                datetime!(-0001-01-01 0:00 UTC),
                500,
                "application/problem+json",
            ),
        ] {
            let answer = (StatusCode::ACCEPTED, Json(Dated { at })).into_response();
            let response = written(answer).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], kind);
        }
    }
}
