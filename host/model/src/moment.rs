//! Points in time that callers give.
//!
//! A text with an offset can name a time outside the calendar that UTC has here, such
//! as `9999-12-31T23:59:59-01:00`; converting it then panics, and years before 0 or
//! after 9999 cannot be written as RFC 3339 again. So every time that a caller gives is
//! a [`Moment`], which can hold neither.

use std::fmt;
use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::wire::serialize_as_text;
use crate::{Invalid, Limits, quoted};

impl Limits {
    /// Years, in UTC, of a time that a caller gives: from 1970, the first that a count of
    /// milliseconds can name, to the last that RFC 3339 can write.
    pub const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
    /// The last millisecond of those years, counted from the beginning of 1970.
    pub const TIME_MS_MAX: u64 = 253_402_300_799_999;
}

/// A point in time from 1970 to 9999, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(OffsetDateTime);

/// Why a text or a number is not a [`Moment`]; each variant quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is not written as in RFC 3339.
    #[error("{0} is not a valid time; write it as in RFC 3339, such as 2030-01-31T12:00:00Z")]
    Malformed(String),
    /// It is outside the years that can be stored and written again.
    #[error("{0} is out of range: 1970 to 9999, in UTC")]
    OutOfRange(String),
}

impl Moment {
    /// Returns a time, in UTC.
    pub fn new(at: OffsetDateTime) -> Result<Self, MomentError> {
        at.checked_to_offset(UtcOffset::UTC)
            .filter(|utc| Limits::YEARS.contains(&utc.year()))
            .map(Self)
            .ok_or_else(|| MomentError::OutOfRange(format!("`{at}`")))
    }

    /// Returns the time that is `ms` milliseconds after the beginning of 1970, rounded
    /// down to a whole millisecond.
    pub fn from_unix_ms(ms: f64) -> Result<Self, MomentError> {
        let out = || MomentError::OutOfRange(format!("{ms} ms since 1970"));
        // No range contains NaN. The cast saturates.
        if !(0.0..1e15).contains(&ms) {
            return Err(out());
        }
        OffsetDateTime::from_unix_timestamp_nanos(ms as i128 * 1_000_000)
            .map_err(|_| out())
            .and_then(|at| Self::new(at).map_err(|_| out()))
    }

    /// Parses the argument called `field`; `None` if it is absent.
    pub fn of_field(field: &'static str, text: Option<&str>) -> Result<Option<Self>, Invalid> {
        text.map(str::parse)
            .transpose()
            .map_err(|error: MomentError| Invalid::new(field, error.to_string()))
    }

    /// Returns the time as a database parameter.
    pub const fn utc(self) -> OffsetDateTime {
        self.0
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let at = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| MomentError::Malformed(quoted(text)))?;
        Self::new(at).map_err(|_| MomentError::OutOfRange(quoted(text)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every year that a moment may have can be written.
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

serialize_as_text!(Moment);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_utc_cannot_hold_is_refused_and_not_converted() {
        for (text, utc) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("1970-01-01T05:30:00+05:30", "1970-01-01T00:00:00Z"),
            ("2030-06-01T12:00:00.5+02:00", "2030-06-01T10:00:00.5Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                "9999-12-31T23:59:59.999999999Z",
            ),
            ("9999-12-31T23:59:59+23:59", "9999-12-31T00:00:59Z"),
        ] {
            let moment: Moment = text.parse().expect(text);
            assert_eq!(moment.to_string(), utc);
            assert_eq!(utc.parse(), Ok(moment), "it is read as it is written");
        }
        for text in [
            "9999-12-31T23:59:59-01:00",
            "9999-12-31T23:59:59-23:59",
            "0000-01-01T00:00:00+01:00",
            "0000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+00:01",
            "1969-12-31T23:59:59Z",
        ] {
            let refused = text.parse::<Moment>().expect_err(text);
            assert_eq!(refused, MomentError::OutOfRange(format!("`{text}`")));
            let refused = Moment::of_field("deadline_at", Some(text)).expect_err(text);
            assert_eq!(refused.field, "deadline_at");
        }
        for text in [
            "",
            "tomorrow",
            "2030-01-01",
            "2030-13-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
        ] {
            let refused = text.parse::<Moment>().expect_err(text);
            assert!(matches!(refused, MomentError::Malformed(_)), "{text}");
        }
    }

    #[test]
    fn milliseconds_are_a_time_only_within_the_same_years() {
        let last = "9999-12-31T23:59:59.999Z"
            .parse::<Moment>()
            .expect("a time");
        let last_ms = (last.utc().unix_timestamp_nanos() / 1_000_000) as f64;
        assert_eq!(Moment::from_unix_ms(last_ms), Ok(last));
        assert_eq!(
            Moment::from_unix_ms(0.9).map(Moment::utc),
            Ok(OffsetDateTime::UNIX_EPOCH)
        );
        for ms in [
            last_ms + 1.0,
            -1.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            assert!(Moment::from_unix_ms(ms).is_err(), "{ms}");
        }
    }
}
