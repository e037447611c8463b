//! Requests of operators: verbs about one execution that need no lease, and that are
//! kept with the execution together with who asked and why.

use crate::http::answer::Answer;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use engine::{ExecutionInfo, Operate, Operator};
use model::ExecutionId;
use serde::de::DeserializeOwned;

use super::App;
use super::access::Caller;
use super::answer::Json;
use super::body::OptionalBody;
use super::path::Id;
use super::problem::Problem;
use super::query::{InNamespace, Query};
use crate::api::{Asks, Execution};

/// A request of an operator, whose body may be left out.
#[derive(Debug)]
pub struct OperatorRequest<T> {
    /// The execution, and who asks for what reason.
    pub operate: Operate,
    /// The body, without the actor and the reason.
    pub request: T,
    /// The caller that asks for it.
    pub caller: Caller,
}

impl<T: Asks + DeserializeOwned> FromRequest<App> for OperatorRequest<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Id(id) = Id::from_request_parts(&mut parts, app).await?;
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let Query(InNamespace { namespace }) = Query::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let OptionalBody(mut request) = OptionalBody::<T>::from_request(request, app).await?;
        let (actor, reason) = request.by();
        let by = Operator {
            actor: caller.actor(actor.as_deref())?,
            reason,
        };
        Ok(Self {
            operate: Operate { id, namespace, by },
            request,
            caller,
        })
    }
}

/// Reads an execution.
///
/// # Errors
/// There is none with this id, or not in this namespace.
pub async fn existing(
    app: &App,
    id: ExecutionId,
    namespace: Option<&str>,
) -> Result<ExecutionInfo, Problem> {
    match app.engine.get(id, namespace).await? {
        Some(info) => Ok(info),
        None => Err(Problem::no_execution(id)),
    }
}

/// Answers a verb with the execution as it is now.
pub async fn after(app: &App, id: ExecutionId) -> Answer<Execution> {
    let info = existing(app, id, None).await?;
    Ok(Json(info.into()))
}
