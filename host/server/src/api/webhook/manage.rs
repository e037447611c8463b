//! Webhooks, as people manage them. Their secrets are shown when they are made, once.

use model::{EventFamily, ExecutionId, FlowId, WebhookState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::answer::{answers, pages};

/// Declares the members of a filter once, as requests and answers have them, and how they
/// become those of the engine and come back.
macro_rules! filter {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)+) => {
        /// Which events of its family a webhook gets: those that fit everything that is given.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct WebhookFilter {
            $(
                $(#[$meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $name: $type,
            )+
        }

        impl From<WebhookFilter> for engine::WebhookFilter {
            fn from(filter: WebhookFilter) -> Self {
                Self { $($name: filter.$name,)+ }
            }
        }

        impl From<engine::WebhookFilter> for WebhookFilter {
            fn from(filter: engine::WebhookFilter) -> Self {
                Self { $($name: filter.$name,)+ }
            }
        }
    };
}

filter! {
    /// Those of executions of this kind.
    kind: Option<String>,
    /// Those of executions of this lane.
    lane: Option<String>,
    /// Those of one execution.
    #[schema(value_type = Option<String>)]
    execution_id: Option<ExecutionId>,
    /// Those of members of one flow.
    #[schema(value_type = Option<String>)]
    flow_id: Option<FlowId>,
    /// Those of executions with this label, as `key:value`, at the time the event is read.
    tag: Option<String>,
}

/// A webhook to create.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// Name of the webhook, which no other of the namespace has: 1 to 64 characters of `a-z`,
    /// `0-9`, `-`, `_` and `.`, beginning with a letter or digit.
    pub name: String,
    /// Where events are sent: an `http` or `https` URL of at most 2048 bytes, without a user
    /// name. Its host must have an address of the internet, or one that this instance allows.
    pub url: String,
    /// The family of events: `lease_history`, `completion`, `signal_delivery`,
    /// `instance_tags`, `operator`, `registry` or `lifecycle`.
    #[schema(value_type = String)]
    pub family: EventFamily,
    /// The namespace whose events it gets; absent: the only one in which you are an operator,
    /// or every one, and events of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Which events of the family; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<WebhookFilter>,
    /// `true`: begins with the oldest event that is kept, and not with what happens from now
    /// on.
    #[serde(default)]
    pub from_beginning: bool,
    /// Signs what is sent: `whsec_` and 16 to 64 bytes in base64; random when absent, which is
    /// better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the webhook, behind the name of
    /// your credential if you have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// Without the secret and the URL.
impl std::fmt::Debug for CreateWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateWebhook")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What shall be different about a webhook; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhook {
    /// Where events are sent from now on; bounds as for a new webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which events are sent from now on; replaces the whole filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<WebhookFilter>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// Who pauses a webhook, and why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseWebhook {
    /// Why, for people; at most 1024 bytes. Kept with the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// Who resumes a webhook.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeWebhook {
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// How a secret shall be replaced.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWebhookSecret {
    /// The new secret: `whsec_` and 16 to 64 bytes in base64; random when absent, which is
    /// better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How long the secret before signs too, in milliseconds; 24 hours when absent, at most 30
    /// days, 0 for no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ms: Option<u64>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// Without the secret.
impl std::fmt::Debug for RotateWebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RotateWebhookSecret")
            .field("overlap_ms", &self.overlap_ms)
            .finish_non_exhaustive()
    }
}

/// A webhook with a new secret, which is shown here and never again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedWebhook {
    /// What signs its messages, for the receiver. No one can read it again.
    pub secret: String,
    /// The webhook that has it.
    pub webhook: Webhook,
}

/// Without the secret.
impl std::fmt::Debug for CreatedWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedWebhook")
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

/// What a receiver answered to a `ping`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TestedWebhook {
    /// Whether it accepted the message: whether it answered 2xx.
    pub accepted: bool,
    /// What it answered; null if it did not.
    pub status: Option<u16>,
    /// Why it did not accept; null if it did.
    pub error: Option<String>,
}

pages! {
    /// A page of the webhooks.
    Webhooks of engine::Webhook {
        /// In the order of their creation, the newest first.
        webhooks: Vec<Webhook>,
    }
}

answers! {
    /// A webhook, without its secret.
    Webhook(webhook: engine::Webhook) {
        /// Id of the webhook, which stays when it is changed.
        #[schema(value_type = String)]
        id: Uuid,
        /// Name of the webhook.
        name: String,
        /// The namespace whose events it gets; null: every one, and events of none.
        namespace: Option<String>,
        /// The family of events.
        family: EventFamily as String,
        /// Which events of the family.
        filter: WebhookFilter = webhook.filter.into(),
        /// Where they are sent.
        url: String,
        /// `active`: events are sent; `paused`: by an operator, or the receiver is gone;
        /// `stalled`: the receiver failed for too long.
        state: WebhookState as String,
        /// Why it is paused or stalled; null while it is active.
        reason: Option<String>,
        /// Tries of the next event that failed.
        failures: u32,
        /// Time the first of them failed; null without any.
        #[serde(with = "rfc3339::option")]
        failed_since: Option<OffsetDateTime>,
        /// Time of the next try, if it is active.
        #[serde(with = "rfc3339")]
        next_try_at: OffsetDateTime,
        /// Time of the last try; null before the first.
        #[serde(with = "rfc3339::option")]
        last_try_at: Option<OffsetDateTime>,
        /// What the receiver answered to the last try; null if it did not.
        last_status: Option<u16>,
        /// Why the last try failed; null if it did not.
        last_error: Option<String>,
        /// Time the receiver last accepted an event; null before the first.
        #[serde(with = "rfc3339::option")]
        last_delivery_at: Option<OffsetDateTime>,
        /// Time until which the secret before the last rotation signs too; null if it does
        /// not.
        #[serde(with = "rfc3339::option")]
        old_secret_until: Option<OffsetDateTime>,
        /// Time it was created.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Credential and word of the caller that created it.
        created_by: String,
        /// Time it was changed last, or changed its state.
        #[serde(with = "rfc3339")]
        changed_at: OffsetDateTime,
        /// Credential and word of the caller that changed it last; `delivery` for the host
        /// that delivers.
        changed_by: String,
    }
}
