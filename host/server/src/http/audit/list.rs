//! `/v1/audit`: who did what, and was refused what.

use axum::extract::State;
use engine::{AuditFilter, AuditPlace, RefusalsPlace};
use model::Moment;

use crate::api::{AuditEntries, RefusedRequestSums};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, InNamespace};

/// Which audit entries are listed.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfCredential {
    /// Only what this credential did or was refused, such as `key:ci`
    credential: Option<String>,
    /// Only this operation, by its operation id, such as `executions_cancel`
    verb: Option<String>,
}

impl FromQuery for OfCredential {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        Ok(Self {
            credential: given.name("credential")?,
            verb: given.name("verb")?,
        })
    }
}

/// The time of what is listed.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Within {
    /// Only from this time on, such as `2030-01-31T12:00:00Z`
    #[param(value_type = Option<String>)]
    since: Option<Moment>,
    /// Only before this time
    #[param(value_type = Option<String>)]
    until: Option<Moment>,
}

impl FromQuery for Within {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        Ok(Self {
            since: given.value("since")?,
            until: given.value("until")?,
        })
    }
}

/// Lists what operators, approvers and admins did, and what credentials were refused, the
/// newest first.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit",
    params(OfCredential, InNamespace, Within, Paging),
    responses((status = 200, body = AuditEntries))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    list: ListRequest<(OfCredential, (InNamespace, Within)), AuditPlace>,
) -> Answer<AuditEntries> {
    let (of, (namespace, within)) = &list.filter;
    let filter = AuditFilter {
        within: caller.scope().clone(),
        credential: of.credential.clone(),
        verb: of.verb.clone(),
        namespace: namespace.namespace.clone(),
        since: within.since,
        until: within.until,
    };
    let found = app.engine.audit(&filter, list.after, list.limit).await?;
    Ok(Json(AuditEntries::new(found, |place| list.cursor(place))))
}

/// Lists how many requests had a credential that was not accepted, by minute, address and
/// reason, the newest first.
#[utoipa::path(
    get, path = "/v1/audit/refusals", tag = "audit",
    params(Within, Paging),
    responses((status = 200, body = RefusedRequestSums))
)]
pub async fn refusals(
    State(app): State<App>,
    list: ListRequest<Within, RefusalsPlace>,
) -> Answer<RefusedRequestSums> {
    let (Within { since, until }, after) = (&list.filter, list.after.as_ref());
    let found = app
        .engine
        .audit_refusals(*since, *until, after, list.limit)
        .await?;
    Ok(Json(RefusedRequestSums::new(found, |place| {
        list.cursor(place)
    })))
}
