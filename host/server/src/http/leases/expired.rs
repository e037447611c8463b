//! `/v1/leases/expired`: leases that have expired and were not reclaimed yet.

use axum::extract::State;

use crate::api::ExpiredLeases;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging, Position};
use crate::http::query::InNamespace;

/// Lists leases that have expired and were not reclaimed yet.
///
/// Every host reclaims expired leases once a second, so this list is empty but for
/// moments, unless no host runs its sweeps.
#[utoipa::path(
    get, path = "/v1/leases/expired", tag = "leases",
    params(InNamespace, Paging),
    responses((status = 200, body = ExpiredLeases))
)]
pub async fn expired(
    app: State<App>,
    list: ListRequest<InNamespace, Position>,
) -> Answer<ExpiredLeases> {
    let after = list.after.map(Into::into);
    let namespace = list.filter.name();
    let found = app
        .engine
        .list_expired_leases(namespace, after, list.limit)
        .await?;
    Ok(Json(ExpiredLeases::new(found, |place| {
        list.cursor(Position::from(place))
    })))
}
