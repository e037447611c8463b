//! Webhooks: what is asked about them and answered, and what they send.

mod manage;
mod message;

pub use manage::{
    CreateWebhook, CreatedWebhook, PauseWebhook, ResumeWebhook, RotateWebhookSecret, TestedWebhook,
    UpdateWebhook, Webhook, WebhookFilter, Webhooks,
};
pub use message::{MessageBody, MissedBody, PingBody};
