//! Why a request about webhooks was refused.

use crate::{Invalid, Limits, Refusal, RefusalCode, Told};

/// Why a request about webhooks was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// No such webhook, or it belongs to a namespace of others.
    #[error("there is no webhook {0}")]
    NotFound(String),
    /// There is a webhook of that name in the namespace.
    #[error("there is a webhook `{0}` already; choose another name, or delete it first")]
    NameTaken(String),
    /// The instance has as many as it may.
    #[error("the instance has {max} webhooks already; delete one first", max = Limits::WEBHOOKS_MAX)]
    TooMany,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for WebhookRefusal {
    fn told(&self) -> Told {
        match self {
            Self::NotFound(_) => RefusalCode::WebhookNotFound.alone(),
            Self::NameTaken(_) => RefusalCode::WebhookNameTaken.alone(),
            Self::TooMany => RefusalCode::TooManyWebhooks.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}
