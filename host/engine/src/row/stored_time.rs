//! Times that the database can store and a calendar cannot show.
//!
//! A `timestamptz` reaches beyond the years 0 to 9999, and the driver's own type panics
//! on such a value. So statements that list rows read [`StoredTime`], which fails for
//! one row only.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};
use time::{Duration, OffsetDateTime};

use crate::Error;

/// A time as the database stores it, in microseconds since 2000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoredTime(i64);

/// Microseconds since 2000, as the place of a row in a list ordered by times. Other than a
/// time of the calendar, it holds every time of the database.
impl fmt::Display for StoredTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StoredTime {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

const EPOCH: OffsetDateTime = time::macros::datetime!(2000-01-01 00:00 UTC);

impl StoredTime {
    /// The time `infinity`, after every other.
    pub(crate) const INFINITY: Self = Self(i64::MAX);
    /// The time `-infinity`, before every other.
    pub(crate) const NEGATIVE_INFINITY: Self = Self(i64::MIN);

    /// Returns a time of the calendar as the database stores it.
    pub(crate) fn of(at: OffsetDateTime) -> Self {
        // Years 0 to 9999 are far within the range.
        Self(i64::try_from((at - EPOCH).whole_microseconds()).unwrap_or(i64::MAX))
    }

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

impl PgHasArrayType for StoredTime {
    fn array_type_info() -> PgTypeInfo {
        <OffsetDateTime as PgHasArrayType>::array_type_info()
    }
}

impl<'r> Decode<'r, Postgres> for StoredTime {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
        Ok(Self(i64::from_be_bytes(bytes)))
    }
}

impl Encode<'_, Postgres> for StoredTime {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.0, buf)
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
}
