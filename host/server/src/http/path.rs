//! Reads the parameters of a path; bytes that are not UTF-8 get a problem like any other
//! mistake.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::{ExecutionId, FlowId, IdError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};
use super::transport::text;

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

/// The id of the execution in the path.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub ExecutionId);

/// The parameter of [`Id`].
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfExecution {
    /// The id of the execution.
    id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(OfExecution { id }) = Path::from_request_parts(parts, state).await?;
        id.parse()
            .map(Self)
            .map_err(|error: IdError| Problem::new(Code::InvalidId, error.to_string()))
    }
}

/// The id of the flow in the path.
#[derive(Debug, Clone, Copy)]
pub struct IdOfFlow(pub FlowId);

/// The parameter of [`IdOfFlow`].
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfFlow {
    /// The id of the flow.
    id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for IdOfFlow {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(OfFlow { id }) = Path::from_request_parts(parts, state).await?;
        id.parse()
            .map(Self)
            .map_err(|error: IdError| Problem::new(Code::InvalidId, error.to_string()))
    }
}

/// An attempt at the execution in the path.
#[derive(Debug, Clone, Copy)]
pub struct AttemptOf {
    /// The id of the execution.
    pub execution: ExecutionId,
    /// The number of the attempt.
    pub attempt: u32,
}

/// The parameters of [`AttemptOf`].
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfAttempt {
    /// The id of the execution.
    id: String,
    /// The number of the attempt, from zero.
    #[param(value_type = u32)]
    attempt: String,
}

impl<S: Send + Sync> FromRequestParts<S> for AttemptOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(OfAttempt { id, attempt }) = Path::from_request_parts(parts, state).await?;
        let execution = id
            .parse()
            .map_err(|error: IdError| Problem::new(Code::InvalidId, error.to_string()))?;
        let attempt = attempt.parse().map_err(|_| {
            let attempt = text::quoted(attempt.as_bytes());
            let detail = format!("{attempt} is not a valid number of an attempt");
            Problem::new(Code::InvalidId, detail)
        })?;
        Ok(Self { execution, attempt })
    }
}
