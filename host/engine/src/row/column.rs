//! Where columns become model values, and numbers columns.

use std::str::FromStr;

use model::{ExecutionId, ExecutionPolicy, Fence, LeaseId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoredTime;
use crate::Error;

/// Reads an enum label, naming the row when it is unknown.
pub(crate) fn label<T>(
    table: &'static str,
    column: &'static str,
    id: impl ToString,
    text: &str,
) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| Error::corrupt(table, column, id, error))
}

/// Reads an enum label that may be absent.
pub(crate) fn optional_label<T>(
    table: &'static str,
    column: &'static str,
    id: impl ToString,
    text: Option<impl AsRef<str>>,
) -> Result<Option<T>, Error>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| label(table, column, id, text.as_ref()))
        .transpose()
}

/// Reads a time that may be absent.
pub(crate) fn optional_time(
    table: &'static str,
    column: &'static str,
    id: impl ToString,
    at: Option<StoredTime>,
) -> Result<Option<OffsetDateTime>, Error> {
    at.map(|at| at.read(table, column, id)).transpose()
}

/// Reads the frozen policy of an execution; absent means every default.
pub(crate) fn policy(id: Uuid, text: Option<&str>) -> Result<ExecutionPolicy, Error> {
    text.map_or_else(
        || Ok(ExecutionPolicy::default()),
        |text| {
            serde_json::from_str(text)
                .map_err(|error| Error::corrupt("execution", "policy", id, error))
        },
    )
}

/// Reads the fence of a lease.
pub(crate) fn fence(execution_id: Uuid, lease_id: Uuid, at: i64, attempt: i32) -> Fence {
    Fence {
        execution_id: ExecutionId::from_uuid(execution_id),
        lease_id: LeaseId(lease_id),
        epoch: epoch(at),
        attempt: count(attempt),
    }
}

/// Reads tags from an array of keys and values in turn.
pub(crate) fn tags<T: FromIterator<(String, String)>>(flat: Option<Vec<String>>) -> T {
    let mut flat = flat.unwrap_or_default().into_iter();
    std::iter::from_fn(|| flat.next().zip(flat.next())).collect()
}

/// Returns a row of a batch, unless it holds what this version cannot read: such a row
/// is passed by, so that it holds up none of the others.
pub(crate) fn readable<T>(row: Result<T, Error>) -> Option<T> {
    row.inspect_err(|error| tracing::error!(%error, "a row cannot be read and is passed by"))
        .ok()
}

/// Reads a count that is never negative.
pub(crate) fn count(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Reads an epoch, which is never negative.
pub(crate) fn epoch(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Writes a count; the column's bound is what it can hold.
pub(crate) fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Writes a number; the column's bound is what it can hold.
pub(crate) fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
