//! `/v1/leases/expired`: leases that have expired and were not reclaimed yet.

use axum::extract::State;
use model::ExecutionId;

use crate::api::ExpiredLeases;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::query::InNamespace;

/// Lists leases that have expired and were not reclaimed yet, in the order of their
/// executions.
///
/// Every host reclaims expired leases once a second, so this list is empty but for
/// moments, unless no host runs its sweeps. The host looks at up to 5,000 leases for one
/// page, and a page that ended there before it was full says so in `examined`.
#[utoipa::path(
    get, path = "/v1/leases/expired", tag = "leases",
    params(InNamespace, Paging),
    responses((status = 200, body = ExpiredLeases))
)]
pub async fn expired(
    app: State<App>,
    list: ListRequest<InNamespace, ExecutionId>,
) -> Answer<ExpiredLeases> {
    let namespace = list.filter.name();
    let found = app
        .engine
        .list_expired_leases(namespace, list.after, list.limit)
        .await?;
    Ok(Json(ExpiredLeases::new(found, |last| list.cursor(last))))
}
