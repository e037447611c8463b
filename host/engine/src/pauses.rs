//! Pauses between the tries of something that is tried until it works.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Builds pauses that double from `min` to `max`, where they stay.
pub const fn pauses(min: Duration, max: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(min)
        .with_max_delay(max)
        .without_max_times()
}
