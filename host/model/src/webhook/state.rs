//! The states of a webhook, and its bounds.

use crate::names::identifier;
use crate::wire::named;
use crate::{Invalid, Limits};

named! {
    /// Whether a webhook is delivered.
    pub enum WebhookState ("state of a webhook") {
        /// Hosts deliver its events.
        Active = "active",
        /// An operator stopped it, or its receiver said that it is gone.
        Paused = "paused",
        /// Its receiver failed for too long.
        Stalled = "stalled",
    }
}

impl Limits {
    /// Most bytes of the name of a webhook.
    pub const WEBHOOK_NAME_BYTES_MAX: usize = 64;
    /// Most bytes of the URL of a webhook.
    pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;
    /// Most webhooks of an instance.
    pub const WEBHOOKS_MAX: i64 = 1000;
    /// Longest time in milliseconds for which the secret before signs too after a rotation:
    /// 30 days.
    pub const WEBHOOK_OVERLAP_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
    /// That time unless the caller sets another: 24 hours.
    pub const WEBHOOK_OVERLAP_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Bytes of a secret that a webhook shares with its receiver. Standard Webhooks recommends
    /// 24 or more, and its libraries are tested with 18.
    pub const WEBHOOK_SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
}

/// Checks the name of a webhook: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`,
/// beginning with a letter or digit.
pub fn webhook_name(text: &str) -> Result<(), Invalid> {
    identifier("name", text, Limits::WEBHOOK_NAME_BYTES_MAX)
}
