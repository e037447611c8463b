//! Webhooks: their states, what an answer means for them, when they try again.

mod answer;
mod refusal;
mod state;

pub use answer::{WebhookAnswer, webhook_pause_ms};
pub use refusal::WebhookRefusal;
pub use state::{WebhookState, webhook_name};
