//! How long executions are kept after their end, events and audit entries.

use serde::{Deserialize, Serialize};

use crate::{Invalid, Limits, ensure};

/// How long executions are kept after their end, and events. Every host of an
/// instance should be configured alike, since the shortest time takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How long an execution is kept after its end, in milliseconds, at most ten
    /// years; 0 keeps it forever. The `retention_ms` of its policy takes precedence.
    pub finished_ms: u64,
    /// How long an event is kept, in milliseconds, 1 hour to ten years; 0 keeps
    /// it forever.
    pub events_ms: u64,
    /// Most bytes that the log of events takes, as estimated, 1 MiB or more; 0 sets no
    /// bound. Beyond them the oldest events are removed before their time.
    pub events_bytes: u64,
    /// How long audit entries are kept, in milliseconds, 1 day to ten years; 0 keeps them
    /// forever. API keys that ended are kept as long.
    pub audit_ms: u64,
}

/// Shortest time events are kept, so that a reader may stop for a while.
const EVENTS_MS_MIN: u64 = 3_600_000;
/// Least bound of the log, which a few large batches do not exceed.
const EVENTS_BYTES_MIN: u64 = 1 << 20;
const DAY_MS: u64 = 86_400_000;

impl Default for Retention {
    fn default() -> Self {
        Self {
            finished_ms: 30 * DAY_MS,
            events_ms: 7 * DAY_MS,
            events_bytes: 0,
            audit_ms: 400 * DAY_MS,
        }
    }
}

impl Retention {
    /// Checks the bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        let max = Limits::DURATION_MS_MAX;
        for (field, value, min) in [
            ("retention.finished_ms", self.finished_ms, 1),
            ("retention.events_ms", self.events_ms, EVENTS_MS_MIN),
            ("retention.audit_ms", self.audit_ms, DAY_MS),
        ] {
            ensure(field, value == 0 || (min..=max).contains(&value), || {
                format!("{value} is out of range: 0 for forever, or {min} to {max}")
            })?;
        }
        let bytes = self.events_bytes;
        let fits = bytes == 0 || (EVENTS_BYTES_MIN..=i64::MAX as u64).contains(&bytes);
        ensure("retention.events_bytes", fits, || {
            format!("{bytes} is out of range: 0 for no bound, or {EVENTS_BYTES_MIN} or more")
        })
    }

    /// Returns `finished_ms` as a database parameter: `None` keeps executions forever.
    pub const fn finished_column(&self) -> Option<i64> {
        column(self.finished_ms)
    }

    /// Returns `events_ms` as a database parameter: `None` keeps events forever.
    pub const fn events_column(&self) -> Option<i64> {
        column(self.events_ms)
    }

    /// Returns the most bytes of the log of events, if it has a bound.
    pub const fn events_bytes_max(&self) -> Option<u64> {
        match self.events_bytes {
            0 => None,
            bytes => Some(bytes),
        }
    }

    /// Returns `audit_ms` as a database parameter: `None` keeps audit entries forever.
    pub const fn audit_column(&self) -> Option<i64> {
        column(self.audit_ms)
    }
}

const fn column(ms: u64) -> Option<i64> {
    match ms {
        0 => None,
        ms => Some(ms as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_forever_and_bounds_are_named() {
        assert_eq!(Retention::default().check(), Ok(()));
        let forever = Retention {
            finished_ms: 0,
            events_ms: 0,
            events_bytes: 0,
            audit_ms: 0,
        };
        assert_eq!(forever.check(), Ok(()));
        assert_eq!(forever.audit_column(), None);
        assert_eq!(
            (forever.finished_column(), forever.events_column()),
            (None, None)
        );
        let short = Retention {
            events_ms: 1000,
            ..forever
        };
        assert_eq!(
            short.check().expect_err("too short").field,
            "retention.events_ms"
        );
        let small = Retention {
            events_bytes: 1000,
            ..forever
        };
        assert_eq!(
            small.check().expect_err("too small").field,
            "retention.events_bytes"
        );
        assert_eq!(forever.events_bytes_max(), None);
        let long = Retention {
            finished_ms: u64::MAX,
            ..forever
        };
        assert_eq!(
            long.check().expect_err("too long").field,
            "retention.finished_ms"
        );
    }
}
