//! Elapsed local time, for progress lines and measurements; nothing else of this crate
//! reads a clock. What is durable is timed by the database.

use std::time::{Duration, Instant};

/// Measures the time since its start.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Returns the time from the start until then; `None` if that was before.
    pub fn until(self, then: Instant) -> Option<Duration> {
        then.checked_duration_since(self.0)
    }

    /// Returns whole milliseconds since the start.
    pub fn elapsed_ms(self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
