//! Waitpoints, where signals arrive, and the tokens that give the right to send them.

use model::{ExecutionId, SuspensionId, WaitpointCloseReason, WaitpointId, WaitpointState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};
use super::operator::asks;

answers! {
    /// A waitpoint of an execution.
    Waitpoint(info: engine::WaitpointInfo) {
        /// Id of the waitpoint.
        waitpoint_id: WaitpointId as String = info.id,
        /// Execution it belongs to.
        execution_id: ExecutionId as String,
        /// Namespace of the execution.
        namespace: String,
        /// Key of the waitpoint within the execution.
        waitpoint_key: String = info.key,
        /// `pending` or `active`, when it accepts signals; `closed` or `expired`.
        state: WaitpointState as String,
        /// Names of the signals that its suspension counts while it is `active`, sorted;
        /// empty when those of any name count, and otherwise.
        required_signal_names: Vec<String>,
        /// The suspension that it is or was bound to last; absent before the first.
        suspension_id?: Option<SuspensionId> as Option<String>,
        /// Id of the key that signed its token.
        token_kid: String,
        /// First 16 hexadecimal digits of its token's signature: tells tokens apart and
        /// gives no right.
        token_fingerprint: String,
        /// Number of signals it accepted.
        signals: u32,
        /// Time it accepted the last of them; absent before the first.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        last_signal_at: Option<OffsetDateTime>,
        /// Time it was created.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Time a suspension was bound to it; absent before.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        activated_at: Option<OffsetDateTime>,
        /// Time it expires while it is pending; absent when it never does.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        expires_at: Option<OffsetDateTime>,
        /// Time it closed or expired; absent before.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        closed_at: Option<OffsetDateTime>,
        /// Why it closed: `resumed`, `cancelled`, `timed_out_fail`, `timed_out_cancel`,
        /// `timed_out_expire`, `timed_out_auto_resume`, `never_committed` or
        /// `proactive_close`; absent before.
        close_reason?: Option<WaitpointCloseReason> as Option<String>,
    }
}

pages! {
    /// A page of the waitpoints of an execution, in the order they were created.
    Waitpoints of engine::WaitpointInfo {
        /// The waitpoints of the page.
        waitpoints: Vec<Waitpoint>, examined
    }

    /// A page of pending waitpoints, the earliest expiry first.
    PendingWaitpoints of engine::WaitpointInfo {
        /// The waitpoints of the page.
        waitpoints: Vec<Waitpoint>, examined
    }
}

/// A waitpoint that accepts signals, with a token for it. The token is stored nowhere:
/// it is in this answer and in no other.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenWaitpoint {
    /// Id of the waitpoint.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// Key of the waitpoint within the execution.
    pub waitpoint_key: String,
    /// Token that gives its bearer the right to send signals to the waitpoint.
    pub waitpoint_token: String,
    /// URL with the token in it, for senders that can only post to a URL.
    pub callback_url: String,
    /// Time the waitpoint expires while it is pending; absent when it never does.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_at: Option<OffsetDateTime>,
    /// Whether the waitpoint existed before.
    pub existing: bool,
}

impl OpenWaitpoint {
    /// Shows a waitpoint with its token and the callback URL of that.
    pub fn new(open: engine::OpenWaitpoint, callback_url: String) -> Self {
        Self {
            waitpoint_id: open.id,
            waitpoint_key: open.key,
            waitpoint_token: open.token.reveal().to_owned(),
            callback_url,
            expires_at: open.expires_at,
            existing: open.existing,
        }
    }
}

/// Another token for a waitpoint. It is stored nowhere: it is in this answer and in no
/// other.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MintedWaitpointToken {
    /// Id of the waitpoint.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// Key of the waitpoint within the execution.
    pub waitpoint_key: String,
    /// Token that gives its bearer the right to send signals to the waitpoint.
    pub waitpoint_token: String,
    /// URL with the token in it, for senders that can only post to a URL.
    pub callback_url: String,
    /// Time the token expires; when absent, with its waitpoint or its key.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_at: Option<OffsetDateTime>,
}

impl MintedWaitpointToken {
    /// Shows a token and the callback URL of it.
    pub fn new(open: engine::OpenWaitpoint, callback_url: String) -> Self {
        Self {
            waitpoint_id: open.id,
            waitpoint_key: open.key,
            waitpoint_token: open.token.reveal().to_owned(),
            callback_url,
            expires_at: open.expires_at,
        }
    }
}

asks! {
    /// The token to mint for a waitpoint.
    #[derive(Default)]
    MintWaitpointToken {
        /// Names of the signals it may send, at most 16; any when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schema(max_items = 16)]
        signal_names: Vec<String>,
        /// Time until it expires, in milliseconds, at most ten years; with its waitpoint
        /// or its key when absent.
        expires_in_ms?: Option<u64>,
    }
}
