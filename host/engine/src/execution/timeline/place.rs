//! Places in a history: one in each of its sources.

use std::fmt;
use std::str::FromStr;

/// Where a page of a history ends, in each of the sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryPlace {
    /// Epoch of the last lease of which something was listed; 0 before the first.
    pub(super) epoch: u64,
    /// Whether the end of that lease was listed, and not only its beginning.
    pub(super) ended: bool,
    /// Number of the last operation that was listed; 0 before the first.
    pub(super) operation: u64,
    /// Number of the last outcome that was listed, from 1 and one more with each replay; 0
    /// before the first.
    pub(super) outcome: u32,
}

/// A text that is not a [`HistoryPlace`].
#[derive(Debug, thiserror::Error)]
#[error("is not a place in a history")]
pub struct HistoryPlaceError;

impl fmt::Display for HistoryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = u8::from(self.ended);
        write!(
            f,
            "{}.{ended}.{}.{}",
            self.epoch, self.operation, self.outcome
        )
    }
}

impl FromStr for HistoryPlace {
    type Err = HistoryPlaceError;

    fn from_str(text: &str) -> Result<Self, HistoryPlaceError> {
        let mut numbers = text.split('.').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let mut read = || {
            let place = Self {
                epoch: next()?,
                ended: next()? == 1,
                operation: next()?,
                outcome: next()?.try_into().ok()?,
            };
            next().is_none().then_some(place)
        };
        read().ok_or(HistoryPlaceError)
    }
}

/// Where an entry is in its source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Execution,
    Acquired(u64),
    Ended(u64),
    Operation(u64),
    Outcome(u32),
}

impl HistoryPlace {
    /// Returns the place after an entry.
    pub(super) fn after(self, source: Source) -> Self {
        match source {
            Source::Execution => self,
            Source::Acquired(epoch) => Self {
                epoch,
                ended: false,
                ..self
            },
            Source::Ended(epoch) => Self {
                epoch,
                ended: true,
                ..self
            },
            Source::Operation(operation) => Self { operation, ..self },
            Source::Outcome(outcome) => Self { outcome, ..self },
        }
    }

    /// Returns the epoch of the first lease of which something is left to list.
    pub(super) fn first_epoch(self) -> u64 {
        self.epoch + u64::from(self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is() {
        let place = HistoryPlace {
            epoch: 7,
            ended: true,
            operation: 900,
            outcome: 2,
        };
        assert_eq!(place.to_string(), "7.1.900.2");
        assert_eq!("7.1.900.2".parse::<HistoryPlace>().ok(), Some(place));
        for wrong in ["", "7", "7.1.900", "7.1.900.2.1", "a.1.900.2", "7.1.900.-1"] {
            assert!(wrong.parse::<HistoryPlace>().is_err(), "{wrong}");
        }
    }
}
