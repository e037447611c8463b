//! `/v1/leases/expired`: leases that have lapsed and were not taken back yet.

use axum::Json;
use axum::extract::State;
use engine::ExpiredLease;
use model::{ExecutionId, Invalid, Limits};
use serde::Serialize;
use time::OffsetDateTime;

use super::App;
use super::problem::{Code, Problem};
use super::query::Query;
use crate::api::{ExpiredLeases, ProblemBody};

/// [`ExpiredLeases`] as the server writes it.
#[derive(Serialize)]
pub struct Page {
    leases: Vec<ExpiredLease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists leases that have lapsed and were not taken back yet.
///
/// Every host takes lapsed leases back once a second, so this is empty but for
/// moments, unless no host runs its sweeps.
#[utoipa::path(
    get, path = "/v1/leases/expired", tag = "executions",
    params(
        ("namespace" = Option<String>, Query, description = "In this namespace"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = ExpiredLeases),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn expired(State(app): State<App>, mut query: Query) -> Result<Json<Page>, Problem> {
    let namespace = query.namespace()?;
    let limit: u32 = query.value("limit")?.unwrap_or(Limits::PAGE_DEFAULT);
    let after = query.text("after")?;
    query.end()?;
    if !(1..=Limits::PAGE_MAX).contains(&limit) {
        let detail = format!("{limit} is out of range: 1 to {}", Limits::PAGE_MAX);
        return Err(Invalid::new("limit", detail).into());
    }
    let after =
        match after {
            None => None,
            Some(cursor) => Some(position(&cursor).ok_or_else(|| {
                Problem::new(Code::InvalidQuery, "after: is no cursor of this list")
            })?),
        };
    let leases = app
        .engine
        .list_expired_leases(namespace.as_deref(), after, limit)
        .await?;
    let full = leases.len() == limit as usize;
    let next_cursor = leases.last().filter(|_| full).map(|last| {
        let at_us = last.lease.expires_at.unix_timestamp_nanos() / 1_000;
        format!("{at_us}.{}", last.execution_id)
    });
    Ok(Json(Page {
        leases,
        next_cursor,
    }))
}

/// Reads a cursor: microseconds since 1970 and an execution.
fn position(cursor: &str) -> Option<(OffsetDateTime, ExecutionId)> {
    let (at_us, id) = cursor.split_once('.')?;
    let at_us: i64 = at_us.parse().ok()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000).ok()?;
    Some((at, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is() {
        let id = "01990000-0000-7000-8000-000000000000";
        let (at, read) = position(&format!("1700000000000001.{id}")).expect("a cursor");
        assert_eq!(at.unix_timestamp_nanos(), 1_700_000_000_000_001_000);
        assert_eq!(read.to_string(), id);
        for wrong in [
            "",
            ".",
            "1",
            "x.y",
            &format!("x.{id}"),
            "1.2",
            &format!("99999999999999999999.{id}"),
        ] {
            assert_eq!(position(wrong), None, "{wrong}");
        }
    }
}
