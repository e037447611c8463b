//! Places in the log of an attempt.

use std::fmt;
use std::str::FromStr;

use crate::quoted;
use crate::wire::serialize_as_text;

/// A place in the log of an attempt, written `<epoch>-<offset>`: an attempt that was
/// suspended or delayed has a log for each of its leases, in the order of their epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LogPlace {
    /// Epoch of the lease.
    pub epoch: u64,
    /// Bytes of its log before the place.
    pub offset: u64,
}

/// A text that is not a place in a log; it is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a valid place in a log; expected `<epoch>-<offset>`, such as 0-0 for the beginning"
)]
pub struct LogPlaceError(String);

impl LogPlace {
    /// The place before everything that an attempt logs.
    pub const START: Self = Self {
        epoch: 0,
        offset: 0,
    };
}

impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl FromStr for LogPlace {
    type Err = LogPlaceError;

    fn from_str(text: &str) -> Result<Self, LogPlaceError> {
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
            let number = is_number.then(|| digits.parse().ok()).flatten();
            number.filter(|number| *number <= i64::MAX as u64)
        };
        let place = text.split_once('-').and_then(|(epoch, offset)| {
            Some(Self {
                epoch: number(epoch)?,
                offset: number(offset)?,
            })
        });
        place.ok_or_else(|| LogPlaceError(quoted(text)))
    }
}

serialize_as_text!(LogPlace);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written_and_nothing_else_does() {
        let place = LogPlace {
            epoch: 7,
            offset: 65_536,
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        assert_eq!("0-0".parse(), Ok(LogPlace::START));
        for wrong in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "+1-2",
            "x-1",
            "1-18446744073709551615",
        ] {
            assert!(wrong.parse::<LogPlace>().is_err(), "{wrong}");
        }
    }
}
