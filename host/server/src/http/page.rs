//! Pages of lists: how many rows, and after which place they begin.

use std::fmt::{self, Display};
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use engine::CursorSeal;
use model::{ExecutionId, Limits, ListCursorError, ListScope, RefusalCode, check_range};
use time::OffsetDateTime;

use super::App;
use super::access::Caller;
use super::problem::Problem;
use super::query::{FromQuery, Given};

/// Name of the parameter that holds a cursor.
const AFTER: &str = "after";
/// Parameters that may change from page to page.
const NOT_OF_THE_FILTER: [&str; 2] = [AFTER, "limit"];

/// A request for a page of a list: rows that fit `F`, after a place of the type `P`.
#[derive(Debug)]
pub struct ListRequest<F, P> {
    /// Which rows the list has.
    pub filter: F,
    /// Where the page before ended; `None` asks for the first page.
    pub after: Option<P>,
    /// Most rows of the page, 1 to 1000.
    pub limit: u32,
    scope: ListScope,
    /// Seals places, for a caller that may not see all there is.
    seal: Option<CursorSeal>,
}

/// The parameters that every list with pages has.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "ListRequest reads them; these are their documentation"
)]
pub struct Paging {
    /// Rows of the page, 1 to 1000; 50 when absent
    limit: Option<u32>,
    /// The `next_cursor` of the page before
    after: Option<String>,
}

impl<F: FromQuery, P: FromStr> FromRequestParts<App> for ListRequest<F, P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let mut given = Given::read(parts)?;
        let mut filter = given.pairs().to_vec();
        filter.retain(|(name, _)| !NOT_OF_THE_FILTER.contains(&name.as_str()));
        let caller = Caller::from_request_parts(parts, app).await?;
        let seal = match caller.is_confined() {
            true => Some(app.engine.cursor_seal().await?),
            false => None,
        };
        if let Some(confined) = caller.confined_to() {
            // A cursor of one namespace is not of the list of another.
            filter.retain(|(name, _)| name != "namespace");
            filter.push(("namespace".to_owned(), confined));
        }
        let instance = app.engine.instance();
        let scope = ListScope::new(
            instance.id,
            instance.generation,
            instance.partitions.count(),
            parts.uri.path(),
            &filter,
        );
        let filter = F::take(&mut given)?;
        let limit = given.limit()?;
        let after = match given.text(AFTER)? {
            Some(cursor) => Some(place(&scope, seal.as_ref(), &cursor)?),
            None => None,
        };
        given.end()?;
        Ok(Self {
            filter,
            after,
            limit,
            scope,
            seal,
        })
    }
}

/// Reads the place that a cursor of this list stands for.
fn place<P: FromStr>(
    scope: &ListScope,
    seal: Option<&CursorSeal>,
    cursor: &str,
) -> Result<P, Problem> {
    let place = scope.place(cursor).and_then(|place| {
        let place = match seal {
            Some(seal) => seal.open(&place).ok_or(ListCursorError)?,
            None => place,
        };
        // The check of the cursor holds, so a client computed this one.
        place.parse().map_err(|_| ListCursorError)
    });
    place.map_err(|_| not_of_this_list())
}

/// Returns the refusal of a cursor that this list did not give.
pub fn not_of_this_list() -> Problem {
    let detail = format!("`{AFTER}` {ListCursorError}");
    Problem::new(RefusalCode::InvalidCursor, detail).with("parameter", AFTER)
}

impl<F, P> ListRequest<F, P> {
    /// Returns the cursor of a page that ends at a place.
    pub fn cursor(&self, place: impl Display) -> String {
        let place = place.to_string();
        match &self.seal {
            Some(seal) => self.scope.cursor(&seal.seal(&place)),
            None => self.scope.cursor(&place),
        }
    }
}

impl Given {
    /// Takes `limit`, the rows of a page: 1 to 1000, 50 when absent.
    pub fn limit(&mut self) -> Result<u32, Problem> {
        let limit: u32 = self.value("limit")?.unwrap_or(Limits::PAGE_DEFAULT);
        check_range("limit", limit, 1..=Limits::PAGE_MAX)?;
        Ok(limit)
    }
}

/// A place in a list that is ordered by a time and an id, mostly an execution's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position<I = ExecutionId>(pub OffsetDateTime, pub I);

impl<I> From<Position<I>> for (OffsetDateTime, I) {
    fn from(Position(at, id): Position<I>) -> Self {
        (at, id)
    }
}

impl<I: Copy> From<&(OffsetDateTime, I)> for Position<I> {
    fn from((at, id): &(OffsetDateTime, I)) -> Self {
        Self(*at, *id)
    }
}

/// A text that is not a [`Position`].
#[derive(Debug)]
pub struct PositionError;

impl<I: Display> Display for Position<I> {
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
            let at_ns = i128::from(at_us.parse::<u64>().ok()?) * 1_000;
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
