//! Keys that waitpoint tokens are signed with; never their secrets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The keys there are.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitpointKeys {
    /// The active one first, then by their end, latest first.
    #[schema(value_type = Vec<WaitpointKey>)]
    pub keys: Vec<engine::WaitpointKey>,
    /// Rows that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// A key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitpointKey {
    /// Its name, as it stands in tokens.
    pub kid: String,
    /// `active`: it signs; `retiring`: it no longer does.
    pub state: String,
    /// Whether its tokens are accepted now.
    pub accepted: bool,
    /// Since when it exists.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// Until when its tokens are accepted; null while it signs.
    #[schema(format = DateTime)]
    pub not_after: Option<String>,
    /// Who rotated it away or retired it.
    pub retired_by: Option<String>,
}

/// The key that shall sign.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWaitpointKey {
    /// Its name, 1 to 32 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`; drawn
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_kid: Option<String>,
    /// Its secret, 64 to 128 hexadecimal digits; drawn when absent, which is
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
    /// The key that signed before, if one did and another does now.
    pub previous_kid: Option<String>,
    /// The key that signs.
    pub kid: String,
    /// Keys that were forgotten, their end being long past.
    pub forgotten: u32,
}

/// Who retires a key.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireWaitpointKey {
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_fits_its_schema() {
        for not_after in [None, Some(time::OffsetDateTime::UNIX_EPOCH)] {
            let key = engine::WaitpointKey {
                kid: "k1".into(),
                state: model::WaitpointKeyState::Active,
                accepted: true,
                created_at: time::OffsetDateTime::UNIX_EPOCH,
                created_by: "api".into(),
                not_after,
                retired_by: None,
            };
            let text = serde_json::to_string(&key).expect("writes");
            serde_json::from_str::<WaitpointKey>(&text).expect("fits");
        }
    }
}
