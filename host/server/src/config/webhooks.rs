//! Section `[webhooks]`: how this host delivers webhooks.

use std::time::Duration;

use model::{Invalid, check_range};
use serde::{Deserialize, Serialize};

/// How this host delivers webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Most webhooks that this host delivers at once, at most 10,000; 0 leaves them to other
    /// hosts.
    pub deliveries_max: u32,
    /// How long the tries of one event may fail before its webhook is stalled, in
    /// milliseconds, 1,000 to 30 days. Give every host the same.
    pub stalled_after_ms: u64,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            deliveries_max: 16,
            stalled_after_ms: 72 * 3600 * 1000,
        }
    }
}

impl Webhooks {
    /// Checks every value against its bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        check_range("webhooks.deliveries_max", self.deliveries_max, 0..=10_000)?;
        let most = 30 * 24 * 3600 * 1000;
        check_range(
            "webhooks.stalled_after_ms",
            self.stalled_after_ms,
            1_000..=most,
        )
    }

    /// Returns how long the tries of one event may fail.
    pub fn stalled_after(&self) -> Duration {
        Duration::from_millis(self.stalled_after_ms)
    }
}
