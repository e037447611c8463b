//! Cursors into the event log: opaque to clients, ordered, and bound to one
//! generation of the instance.
//!
//! Events are ordered by (transaction id, sequence, position in the batch) and
//! read only below the oldest transaction still running, so that none is
//! skipped. Transaction ids start again when a database is restored elsewhere;
//! the generation tells such cursors apart.

use crate::quoted;
use crate::wire::serialize_as_text;

/// A place in the event log: everything up to and including it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cursor {
    /// Generation of the instance, raised when a database is restored elsewhere.
    pub generation: u32,
    /// Id of the transaction that wrote the batch.
    pub xid: u64,
    /// Sequence number of the batch.
    pub seq: u64,
    /// Position within the batch, from zero.
    pub position: u32,
}

/// A text that is not a cursor of the event log; it is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a valid cursor of the event log")]
pub struct CursorError(String);

impl Cursor {
    /// Returns the place before every event.
    pub const fn start(generation: u32) -> Self {
        Self {
            generation,
            xid: 0,
            seq: 0,
            position: 0,
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "e{:x}.{:x}.{:x}.{:x}",
            self.generation, self.xid, self.seq, self.position
        )
    }
}

impl std::str::FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let error = || CursorError(quoted(text));
        let mut parts = text.strip_prefix('e').ok_or_else(error)?.split('.');
        let mut next = || {
            parts
                .next()
                .filter(|part| !part.is_empty() && !part.starts_with('+'))
                .and_then(|part| u64::from_str_radix(part, 16).ok())
                .ok_or_else(error)
        };
        let cursor = Self {
            generation: u32::try_from(next()?).map_err(|_| error())?,
            xid: next()?,
            seq: next()?,
            position: u32::try_from(next()?).map_err(|_| error())?,
        };
        if parts.next().is_some() || cursor.xid > i64::MAX as u64 || cursor.seq > i64::MAX as u64 {
            return Err(error());
        }
        Ok(cursor)
    }
}

serialize_as_text!(Cursor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_written_and_nothing_else_does() {
        let cursor = Cursor {
            generation: 3,
            xid: 77_000,
            seq: 0xfff,
            position: 12,
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in [
            "",
            "e",
            "e1.2.3",
            "e1.2.3.4.5",
            "1.2.3.4",
            "e1.2.3.x",
            "e1.+2.3.4",
            "eff.ffffffffffffffff.1.1",
        ] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
    }
}
