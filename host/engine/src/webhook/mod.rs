//! Webhooks: events that hosts send to URLs, in order and at least once, signed.
//!
//! ```text
//!              pause, 410 Gone
//!  ┌────────▶ paused ◀──────────────┐
//!  │ resume     ▲                   │ pause
//!  ▼            │                   │
//! active ───────┴──── failed too long ────▶ stalled ──resume──▶ active
//! ```
//!
//! A webhook that is active and due is taken for a turn by one host (`turn`), which reads
//! the log after the webhook's cursor (`events`), sends, and records each try (`record`).
//! The cursor advances by a guarded statement after the receiver accepted an event, and past
//! events that do not fit. The database is authoritative for who has the turn, by its clock:
//! a host that is late may send an event again, and can record nothing. What is sent and how
//! is the server's; the engine has no network.
//!
//! Events are kept as long as retention says, read by webhooks or not. A webhook that is too
//! far behind sends what it missed, and continues from the oldest event that is kept.

mod change;
mod create;
mod delete;
mod events;
mod filter;
mod list;
mod record;
mod rotate;
mod secret;
mod signature;
mod turn;

pub use change::UpdateWebhook;
pub use create::{CreateWebhook, CreatedWebhook};
pub use events::WebhookEvents;
pub use filter::WebhookFilter;
pub use list::{Webhook, WebhookCounts};
pub use record::{FailedDelivery, WebhookTry};
pub use secret::WebhookSecret;
pub use signature::WebhookMessage;
pub use turn::{TestWebhook, WebhookTurn};
