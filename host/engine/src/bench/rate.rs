//! How fast something was done.

use std::time::Duration;

use serde::Serialize;

/// Operations in a span of time.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rate {
    /// How many operations were measured.
    pub operations: u64,
    /// How many seconds they took together.
    pub seconds: f64,
    /// Operations per second, on average.
    pub per_second: f64,
}

impl Rate {
    /// Returns the rate of so many operations in this time.
    pub fn new(operations: u64, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        Self {
            operations,
            seconds,
            per_second: operations as f64 / seconds,
        }
    }
}
