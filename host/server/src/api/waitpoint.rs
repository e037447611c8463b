//! Waitpoints, where signals arrive, and the tokens that open them.

use model::{ExecutionId, SuspensionId, WaitpointCloseReason, WaitpointId, WaitpointState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::operate::asks;

/// A waitpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Waitpoint {
    /// The waitpoint.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// Whose it is.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// Where that lives.
    pub namespace: String,
    /// Its name within the execution.
    pub waitpoint_key: String,
    /// `pending` or `active`, when signals may come; `closed` or `expired`.
    #[schema(value_type = String)]
    pub state: WaitpointState,
    /// The suspension that waits or waited at it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub suspension_id: Option<SuspensionId>,
    /// Name of the key that signed its token.
    pub token_kid: String,
    /// First 16 hexadecimal digits of the token's code: tells tokens apart and
    /// opens nothing.
    pub token_fingerprint: String,
    /// Signals it accepted.
    pub signals: u32,
    /// When the last of them came.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_signal_at: Option<OffsetDateTime>,
    /// Since when it is there.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When a suspension began to wait at it.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub activated_at: Option<OffsetDateTime>,
    /// Until when it waits for a suspension, if it is pending; absent, for ever.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<OffsetDateTime>,
    /// Since when it takes no more signals.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<OffsetDateTime>,
    /// Why: `resumed`, `cancelled`, `timed_out_fail`, `timed_out_cancel`,
    /// `timed_out_expire`, `timed_out_auto_resume`, `never_committed` or
    /// `proactive_close`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub close_reason: Option<WaitpointCloseReason>,
}

/// The waitpoints of an execution, oldest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Waitpoints {
    /// The waitpoints.
    pub waitpoints: Vec<Waitpoint>,
    /// Rows that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// A page of pending waitpoints, those that expire first coming first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingWaitpoints {
    /// The waitpoints.
    pub waitpoints: Vec<Waitpoint>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A waitpoint that takes signals, and a token that opens it. The token is kept
/// nowhere: this is the only time it is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenWaitpoint {
    /// The waitpoint.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// Its key.
    pub waitpoint_key: String,
    /// Whoever carries it may send signals here.
    pub waitpoint_token: String,
    /// Where whoever has nothing but this URL may post: the token is in it.
    pub callback_url: String,
    /// Until when it waits for its suspension, while it is pending.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it was there before.
    pub existing: bool,
}

/// Another token for a waitpoint. It is kept nowhere: this is the only time it is
/// shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MintedWaitpointToken {
    /// The waitpoint.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// Its key.
    pub waitpoint_key: String,
    /// Whoever carries it may send signals there.
    pub waitpoint_token: String,
    /// Where whoever has nothing but this URL may post: the token is in it.
    pub callback_url: String,
    /// Until when it holds; absent, as long as its waitpoint and its key.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<OffsetDateTime>,
}

asks! {
    /// What another token for a waitpoint shall say.
    #[derive(Default)]
    MintWaitpointToken {
        /// Names of signals it may send, at most 16; any when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schema(max_items = 16)]
        signal_names: Vec<String>,
        /// How long it holds, in milliseconds, at most ten years; absent, as long
        /// as its waitpoint and its key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in_ms: Option<u64>,
    }
}
