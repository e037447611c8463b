//! Pages of lists: how many rows, and after what they begin.

use std::fmt;
use std::str::FromStr;

use model::{ExecutionId, Invalid, Limits};
use time::OffsetDateTime;

use super::problem::Problem;
use super::query::Query;

impl Query {
    /// Takes `limit`, the rows of a page: 1 to 1000, 50 when absent.
    pub fn limit(&mut self) -> Result<u32, Problem> {
        let limit: u32 = self.value("limit")?.unwrap_or(Limits::PAGE_DEFAULT);
        if (1..=Limits::PAGE_MAX).contains(&limit) {
            Ok(limit)
        } else {
            let detail = format!("{limit} is out of range: 1 to {}", Limits::PAGE_MAX);
            Err(Invalid::new("limit", detail).into())
        }
    }
}

/// A place in a list that is ordered by a time and an id, mostly an execution's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position<I = ExecutionId>(pub OffsetDateTime, pub I);

/// A text that names no place.
#[derive(Debug, thiserror::Error)]
#[error("is no cursor of this list")]
pub struct PositionError;

impl<I: fmt::Display> fmt::Display for Position<I> {
    /// Microseconds since 1970, and the id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.unix_timestamp_nanos() / 1_000, self.1)
    }
}

impl<I: FromStr> FromStr for Position<I> {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let read = || {
            let (at_us, id) = text.split_once('.')?;
            let at_ns = i128::from(at_us.parse::<i64>().ok()?) * 1_000;
            let at = OffsetDateTime::from_unix_timestamp_nanos(at_ns).ok()?;
            Some(Self(at, id.parse().ok()?))
        };
        read().ok_or(PositionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written_and_nothing_else_is() {
        let id = "01990000-0000-7000-8000-000000000000";
        let text = format!("1700000000000001.{id}");
        let position: Position = text.parse().expect("a position");
        assert_eq!(position.0.unix_timestamp_nanos(), 1_700_000_000_000_001_000);
        assert_eq!(position.to_string(), text);
        let (no_time, no_id) = (format!("x.{id}"), "1.2");
        let too_late = format!("9223372036854775807.{id}");
        for wrong in ["", ".", "1", "x.y", &no_time, no_id, &too_late] {
            assert!(wrong.parse::<Position>().is_err(), "{wrong}");
        }
    }
}
