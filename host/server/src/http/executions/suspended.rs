//! `/v1/suspended`: executions that wait for signals, and what they wait for.

use axum::extract::State;

use crate::api::SuspendedExecutions;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging, Position};
use crate::http::query::InNamespace;

/// Lists suspended executions, those that have waited longest coming first.
///
/// The host looks at up to 5,000 of all namespaces for one page, and a page that ended there
/// before it was full says so in `examined`.
#[utoipa::path(
    get, path = "/v1/suspended", tag = "executions",
    params(InNamespace, Paging),
    responses((status = 200, body = SuspendedExecutions))
)]
pub async fn suspended(
    State(app): State<App>,
    list: ListRequest<InNamespace, Position>,
) -> Answer<SuspendedExecutions> {
    let after = list.after.map(Into::into);
    let namespace = list.filter.name();
    let found = app
        .engine
        .list_suspended(namespace, after, list.limit)
        .await?;
    Ok(Json(SuspendedExecutions::new(found, |place| {
        list.cursor(Position::from(place))
    })))
}
