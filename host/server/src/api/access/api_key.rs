//! API keys; the text of one is shown once, in the answer to the request that made it.

use model::Role;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::answer::{answers, pages};

/// The key that shall be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// Name of the key, which no other key has that is accepted: 1 to 64 characters of `a-z`,
    /// `0-9`, `-`, `_` and `.`, beginning with a letter or digit. What the key does is
    /// recorded as done by `key:` and the name.
    pub name: String,
    /// What it may do: `viewer`, `submitter`, `worker`, `approver`, `operator` or `admin`. You
    /// must hold the role yourself, where the key is to hold it.
    #[schema(value_type = String)]
    pub role: Role,
    /// The namespace in which it holds the role; absent: in every namespace, and for what
    /// belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How long the key is accepted, in milliseconds, 1 to ten years; forever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the key, behind the name of your
    /// credential if you have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// How a key shall be rotated.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// How long the texts before are accepted, in milliseconds; 24 hours when absent, at most
    /// 30 days, 0 to refuse them at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ms: Option<u64>,
}

/// Who revokes a key.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeApiKey {
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the key, behind the name of your
    /// credential if you have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// A key with a new text, which is shown here and never again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiKey {
    /// The text of the key, to send as `Authorization: Bearer …`. No one can read it again.
    pub text: String,
    /// What the text opens, and may be shown.
    pub key: ApiKey,
}

/// Without the text.
impl std::fmt::Debug for CreatedApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedApiKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

pages! {
    /// A page of the API keys.
    ApiKeys of engine::ApiKey {
        /// In the order of their creation, the newest first.
        keys: Vec<ApiKey>,
    }
}

answers! {
    /// An API key, without its texts.
    ApiKey(key: engine::ApiKey) {
        /// Id of the key, which stays when it is rotated.
        #[schema(value_type = String)]
        id: Uuid,
        /// Name of the key.
        name: String,
        /// What it may do: `viewer`, `submitter`, `worker`, `approver`, `operator` or `admin`.
        #[schema(value_type = String)]
        role: Role,
        /// The namespace in which it holds the role; null: in every namespace, and for what
        /// belongs to none.
        namespace: Option<String>,
        /// Whether it is accepted now.
        accepted: bool,
        /// Time it was created.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Credential and word of the caller that created it.
        created_by: String,
        /// Time it expires; null if it never does.
        #[serde(with = "rfc3339::option")]
        expires_at: Option<OffsetDateTime>,
        /// Time it was last used, to the minute; null if it never was.
        #[serde(with = "rfc3339::option")]
        last_used_at: Option<OffsetDateTime>,
        /// Time it was revoked; null before.
        #[serde(with = "rfc3339::option")]
        revoked_at: Option<OffsetDateTime>,
        /// Credential and word of the caller that revoked it; null before.
        revoked_by: Option<String>,
        /// Its texts that have not ended, the current one first.
        texts: Vec<ApiKeyText> = key.texts.into_iter().map(Into::into).collect(),
    }

    /// What is known of a text of an API key.
    ApiKeyText(text: engine::ApiKeyTextInfo) {
        /// Its first characters, by which people recognize it.
        shown: String,
        /// Time it is accepted until; null for the current one.
        #[serde(with = "rfc3339::option")]
        valid_until: Option<OffsetDateTime>,
    }
}
