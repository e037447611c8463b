//! Keys that sign waitpoint tokens; their secrets go in and never come out.

use model::WaitpointKeyState;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};

pages! {
    /// A page of the keys that sign waitpoint tokens, or did.
    WaitpointKeys of engine::WaitpointKey {
        /// The active key first, then by the time they are accepted until, latest first.
        keys: Vec<WaitpointKey>,
    }
}

answers! {
    /// A key that signs waitpoint tokens, or did.
    WaitpointKey(key: engine::WaitpointKey) {
        /// Id of the key, as it stands in tokens.
        kid: String,
        /// `active`: it signs; `retiring`: it no longer does.
        state: WaitpointKeyState as String,
        /// Whether its tokens are accepted now.
        accepted: bool,
        /// Time it was created.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Who created it, as the request said.
        created_by: String,
        /// Time its tokens are accepted until; null while it signs.
        #[serde(with = "rfc3339::option")]
        not_after: Option<OffsetDateTime>,
        /// Who rotated it away or retired it, as the request said; null before.
        retired_by: Option<String>,
    }
}

/// The key that shall sign.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWaitpointKey {
    /// Id of the key, 1 to 32 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`; random
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_kid: Option<String>,
    /// Secret of the key, 64 to 128 hexadecimal digits; random when absent, which is
    /// better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_secret_hex: Option<String>,
    /// How long tokens of the old key are accepted, in milliseconds; 24 hours when
    /// absent, at most 366 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// What a rotation did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotatedWaitpointKey {
    /// `rotated`, or `noop` when the key signed already.
    pub outcome: String,
    /// Id of the key that signed before; null when none did or nothing changed.
    pub previous_kid: Option<String>,
    /// Id of the key that signs now.
    pub kid: String,
    /// Number of keys that were deleted because they expired long ago.
    pub forgotten: u32,
}

impl From<engine::RotatedWaitpointKey> for RotatedWaitpointKey {
    fn from(rotated: engine::RotatedWaitpointKey) -> Self {
        match rotated {
            engine::RotatedWaitpointKey::Rotated {
                previous_kid,
                new_kid,
                forgotten,
            } => Self {
                outcome: "rotated".to_owned(),
                previous_kid,
                kid: new_kid,
                forgotten,
            },
            engine::RotatedWaitpointKey::Noop { kid } => Self {
                outcome: "noop".to_owned(),
                previous_kid: None,
                kid,
                forgotten: 0,
            },
        }
    }
}

/// The first key, for an instance that brings its own secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedWaitpointKey {
    /// Id of the key, 1 to 32 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    pub kid: String,
    /// Secret of the key, 64 to 128 hexadecimal digits; random when absent, which is
    /// better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_hex: Option<String>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// What a request for the first key did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SeededWaitpointKey {
    /// `seeded`, or `already_seeded` when a key signed already.
    pub outcome: String,
    /// Id of the key that signs.
    pub kid: String,
    /// Whether that key has the id and the secret of the request; null when it was
    /// created now.
    pub same_secret: Option<bool>,
}

impl From<engine::SeededWaitpointKey> for SeededWaitpointKey {
    fn from(seeded: engine::SeededWaitpointKey) -> Self {
        match seeded {
            engine::SeededWaitpointKey::Seeded { kid } => Self {
                outcome: "seeded".to_owned(),
                kid,
                same_secret: None,
            },
            engine::SeededWaitpointKey::AlreadySeeded { kid, same_secret } => Self {
                outcome: "already_seeded".to_owned(),
                kid,
                same_secret: Some(same_secret),
            },
        }
    }
}

/// Who retires a key.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireWaitpointKey {
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}
