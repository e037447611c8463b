//! Webhooks: events sent to URLs outside, signed.

mod secret;
mod signature;

pub use secret::WebhookSecret;
pub use signature::WebhookMessage;
