//! Pages of rows, of which some may hold what this version cannot show: a time
//! outside the calendar, a word of a later version, a text that is not the JSON it
//! should be. Such a row is told of by its id, and hides no other.

use std::ops::Deref;

use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};
use time::{Duration, OffsetDateTime};

use crate::Error;

/// A row that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, or its name where rows are known by names.
    pub id: String,
    /// Which table and column, and what is wrong with it.
    pub detail: String,
}

/// A list, or a page of one whose rows stand at places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, P = ()> {
    /// The rows that can be shown, in the order of the list.
    pub rows: Vec<T>,
    /// The others.
    pub unreadable: Vec<Unreadable>,
    /// The place of the last row of either kind, if others come after it.
    next: Option<P>,
}

impl<T, P> Listed<T, P> {
    /// Reads the first `limit` of rows that stand at places; one more that is there
    /// says that another page follows.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn read(
        limit: u32,
        rows: impl IntoIterator<Item = (P, Result<T, Error>)>,
    ) -> Result<Self, Error> {
        let mut page = Self::default();
        let mut last = None;
        for (count, (place, row)) in (0..).zip(rows) {
            if count == limit {
                page.next = last;
                break;
            }
            match row {
                Ok(row) => page.rows.push(row),
                Err(error) => page.unreadable.push(error.unreadable()?),
            }
            last = Some(place);
        }
        Ok(page)
    }

    /// Reads the rows of a page that may have been cut for another reason than its
    /// number of rows: another follows if `more`.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn cut(
        more: bool,
        rows: impl IntoIterator<Item = (P, Result<T, Error>)>,
    ) -> Result<Self, Error> {
        let mut last = None;
        let rows = rows.into_iter().map(|(place, row)| {
            last = Some(place);
            ((), row)
        });
        let Listed {
            rows, unreadable, ..
        } = Listed::read(u32::MAX, rows)?;
        Ok(Self {
            rows,
            unreadable,
            next: last.filter(|_| more),
        })
    }

    /// Returns where the next page begins, if there is one.
    pub fn next(&self) -> Option<&P> {
        self.next.as_ref()
    }
}

impl<T> Listed<T> {
    /// Builds a list that has no pages.
    pub(crate) const fn of(rows: Vec<T>, unreadable: Vec<Unreadable>) -> Self {
        Self {
            rows,
            unreadable,
            next: None,
        }
    }

    /// Reads a list that has no pages.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn whole(rows: impl IntoIterator<Item = Result<T, Error>>) -> Result<Self, Error> {
        Self::read(u32::MAX, rows.into_iter().map(|row| ((), row)))
    }
}

impl<T, P> Default for Listed<T, P> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            unreadable: Vec::new(),
            next: None,
        }
    }
}

impl<T, P> Deref for Listed<T, P> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<T, P> IntoIterator for Listed<T, P> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl Error {
    /// Returns what there is to tell of a row that cannot be shown; the error itself if
    /// it is about no row.
    fn unreadable(self) -> Result<Unreadable, Self> {
        match &self {
            Self::Corrupt { id, .. } => Ok(Unreadable {
                id: id.clone(),
                detail: self.to_string(),
            }),
            _ => Err(self),
        }
    }
}

/// A time as the database holds it, in microseconds since 2000. It holds more times
/// than there are in the years 0 to 9999, and the type of the driver panics on some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoredTime(i64);

const EPOCH: OffsetDateTime = time::macros::datetime!(2000-01-01 00:00 UTC);

impl StoredTime {
    /// Returns the time, if it is one that can be shown.
    pub(crate) fn read(
        self,
        table: &'static str,
        column: &'static str,
        id: impl ToString,
    ) -> Result<OffsetDateTime, Error> {
        EPOCH
            .checked_add(Duration::microseconds(self.0))
            .filter(|at| (0..=9999).contains(&at.year()))
            .ok_or_else(|| {
                let detail = format!(
                    "{} microseconds since 2000 are outside the years 0 to 9999",
                    self.0
                );
                Error::corrupt(table, column, id, detail)
            })
    }
}

impl Type<Postgres> for StoredTime {
    fn type_info() -> PgTypeInfo {
        <OffsetDateTime as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for StoredTime {
    fn decode(value: PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
        Ok(Self(i64::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_only_if_it_can_be_shown() {
        let day = 86_400_000_000;
        for (us, shown) in [
            (0, true),
            (-730_119 * day, true),
            (-730_486 * day, false),
            (2_921_939 * day, true),
            (2_921_940 * day, false),
            (i64::MAX, false),
            (i64::MIN, false),
        ] {
            let read = StoredTime(us).read("execution", "deadline_at", "x");
            assert_eq!(read.is_ok(), shown, "{us}: {read:?}");
            if let Ok(at) = read {
                let text = at.format(&time::format_description::well_known::Rfc3339);
                assert!(text.is_ok(), "{at}");
            }
        }
    }

    #[test]
    fn a_page_tells_of_what_it_cannot_show_and_goes_on_after_it() {
        let row = |n: u32| {
            let row = if n % 3 == 1 {
                Err(Error::corrupt("lane", "state", n, "is odd"))
            } else {
                Ok(n)
            };
            (n, row)
        };
        let page = Listed::read(5, (0..6).map(row)).expect("reads");
        assert_eq!(*page, [0, 2, 3]);
        let told: Vec<_> = page.unreadable.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(told, ["1", "4"]);
        assert_eq!(
            page.unreadable[0].detail,
            "lane.state of 1 is corrupt: is odd"
        );
        assert_eq!(page.next(), Some(&4));
        let last = Listed::read(5, (0..5).map(row)).expect("reads");
        assert_eq!((&last.rows, last.next()), (&page.rows, None));
        let down = (0, Err::<u32, _>(Error::Unavailable(String::new())));
        assert!(Listed::read(1, [down]).is_err(), "that is about no row");
    }
}
