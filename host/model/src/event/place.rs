//! Places in the event log, and cursors of subscriptions.
//!
//! Events are ordered by (transaction id, sequence, position in the batch) and read only
//! below a transaction that none which may still write comes before, so that none is
//! skipped. A place is one of these triples on one shard; there is one shard.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::quoted;

/// A place in the event log: everything up to and including it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventPlace {
    /// Id of the transaction that wrote the batch; zero before every event.
    pub xid: u64,
    /// Sequence number of the batch.
    pub seq: u64,
    /// Position within the batch, from one; zero before the first.
    pub position: u32,
}

/// A text that is not a place in the event log; it is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a valid place in the event log")]
pub struct EventPlaceError(String);

impl EventPlace {
    /// The place before every event.
    pub const START: Self = Self::before(0);

    /// Returns the place before every event of a transaction and of those after it.
    pub const fn before(xid: u64) -> Self {
        Self {
            xid,
            seq: 0,
            position: 0,
        }
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0.{:x}.{:x}.{:x}", self.xid, self.seq, self.position)
    }
}

impl FromStr for EventPlace {
    type Err = EventPlaceError;
    fn from_str(text: &str) -> Result<Self, EventPlaceError> {
        let error = || EventPlaceError(quoted(text));
        let mut parts = text.strip_prefix("0.").ok_or_else(error)?.split('.');
        let mut next = || {
            parts
                .next()
                .filter(|part| !part.is_empty() && !part.starts_with('+'))
                .and_then(|part| u64::from_str_radix(part, 16).ok())
                .filter(|number| *number <= i64::MAX as u64)
                .ok_or_else(error)
        };
        let place = Self {
            xid: next()?,
            seq: next()?,
            position: u32::try_from(next()?).map_err(|_| error())?,
        };
        match parts.next() {
            None => Ok(place),
            Some(_) => Err(error()),
        }
    }
}

/// Where a subscription continues: opaque, of one family of events and of one generation
/// of an instance. It resumes on any host. The
/// `next_cursor` of a list is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventCursor(pub String);

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EventStart {
    /// With what happens from now on.
    #[default]
    Now,
    /// With the oldest event that is kept.
    Beginning,
    /// After a cursor that a read gave.
    After(EventCursor),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written_and_nothing_else_does() {
        let place = EventPlace {
            xid: 77_000,
            seq: 0xfff,
            position: 12,
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in [
            "",
            "0",
            "0.2.3",
            "0.2.3.4.5",
            "1.2.3.4",
            "0.2.3.x",
            "0.+2.3.4",
            "0.ffffffffffffffff.1.1",
        ] {
            assert!(wrong.parse::<EventPlace>().is_err(), "{wrong}");
        }
    }
}
