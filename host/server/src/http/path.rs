//! Reads what stands in a path; one that is not UTF-8 gets a problem like any other
//! mistake.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// The parameters of a path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        match read {
            Ok(axum::extract::Path(read)) => Ok(Self(read)),
            Err(error) => Err(Problem::new(Code::InvalidId, error.body_text())),
        }
    }
}
