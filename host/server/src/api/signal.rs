//! Signals: how they are sent, what they did, and how they are read.

use model::{ExecutionId, SignalEffect, SignalId, WaitpointId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::operate::asks;
use super::request::present;

/// A signal from whoever carries a token. At most one of `payload`,
/// `payload_text` and `payload_base64` is given; at most 65536 bytes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendSignal {
    /// The token of the waitpoint it is for.
    pub waitpoint_token: String,
    /// Its name, 1 to 128 bytes without control characters.
    pub signal_name: String,
    /// What it brings, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub payload: Option<Box<RawValue>>,
    /// What it brings, as text.
    pub payload_text: Option<String>,
    /// What it brings, as base64 (standard alphabet, padded).
    pub payload_base64: Option<String>,
    /// Media type of that; absent, it follows from the form.
    pub content_type: Option<String>,
    /// What it is about; at most 255 bytes.
    pub signal_category: Option<String>,
    /// What sort of thing sends it, 1 to 255 bytes, but not `operator` or
    /// `webhook`; `api` when absent. The sender's word, as is the next.
    pub source_type: Option<String>,
    /// Which one of that sort, 1 to 255 bytes; the fingerprint of the token when
    /// absent. `DistinctSources` counts pairs of these two.
    pub source_identity: Option<String>,
    /// What its sender links it to; at most 255 bytes.
    pub correlation_id: Option<String>,
    /// Makes the request repeatable: another to the same waitpoint with this key, 1
    /// to 255 bytes, does nothing and is answered as the first was.
    pub idempotency_key: Option<String>,
    /// How long the key is remembered, in milliseconds, 1 to ten years; 24 hours
    /// when absent.
    pub dedup_ttl_ms: Option<u64>,
}

asks! {
    /// A signal from an operator, who needs no token. At most one of `payload`,
    /// `payload_text` and `payload_base64` is given; at most 65536 bytes.
    OperatorSignal {
        /// The waitpoint it is for, by its id or key; absent, the only open one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waitpoint: Option<String>,
        /// Its name, 1 to 128 bytes without control characters.
        signal_name: String,
        /// What it brings, as JSON; kept byte for byte.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<serde_json::Value>)]
        payload: Option<Box<RawValue>>,
        /// What it brings, as text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload_text: Option<String>,
        /// What it brings, as base64 (standard alphabet, padded).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload_base64: Option<String>,
        /// Media type of that; absent, it follows from the form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        /// What it is about; at most 255 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal_category: Option<String>,
        /// What its sender links it to; at most 255 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        correlation_id: Option<String>,
        /// Makes the request repeatable: another to the same waitpoint with this
        /// key, 1 to 255 bytes, does nothing and is answered as the first was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// How long the key is remembered, in milliseconds, 1 to ten years; 24
        /// hours when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dedup_ttl_ms: Option<u64>,
    }

    /// An operator's yes or no. Each actor counts once for each of them. At most
    /// one of `payload`, `payload_text` and `payload_base64` is given; at most
    /// 65536 bytes.
    #[derive(Default)]
    Decide {
        /// The waitpoint it is for, by its id or key; absent, the only open one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waitpoint: Option<String>,
        /// What makes it the same decision when it is sent again; the actor when
        /// absent. At most 237 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_suffix: Option<String>,
        /// What it brings, as JSON; kept byte for byte.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<serde_json::Value>)]
        payload: Option<Box<RawValue>>,
        /// What it brings, as text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload_text: Option<String>,
        /// What it brings, as base64 (standard alphabet, padded).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload_base64: Option<String>,
        /// Media type of that; absent, it follows from the form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
    }
}

/// What became of a signal that was accepted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveredSignal {
    /// The signal; that of the first delivery if this is a duplicate.
    #[schema(value_type = String)]
    pub signal_id: SignalId,
    /// Whom it was for.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// Where it came to.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// What it did: `appended_to_waitpoint`, `resume_condition_satisfied`,
    /// `no_op`, `signal_ignored_not_in_condition`,
    /// `signal_ignored_matcher_failed`, `appended_to_waitpoint_duplicate` or
    /// `buffered_for_pending_waitpoint`.
    #[schema(value_type = String)]
    pub effect: SignalEffect,
    /// Whether it had been delivered before, and did nothing now.
    pub duplicate: bool,
}

/// The answer to a callback, which tells its sender nothing else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CallbackAnswer {
    /// `accepted`, or `duplicate` when it had been accepted before.
    pub status: String,
}

/// A signal as its receiver sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReceivedSignal {
    /// The signal.
    #[schema(value_type = String)]
    pub signal_id: SignalId,
    /// Where it came to.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
    /// The key of that.
    pub waitpoint_key: String,
    /// Its name.
    pub signal_name: String,
    /// What it is about, if its sender said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_category: Option<String>,
    /// What sort of thing sent it: `operator`, `webhook`, or what it says.
    pub source_type: String,
    /// Which one of that sort: the actor, the fingerprint of the token, or what
    /// its sender says.
    pub source_identity: String,
    /// What its sender links it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Media type of what it brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// What it brings, as base64 (standard alphabet, padded), whatever form it was
    /// given in; absent if it brings nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub accepted_at: OffsetDateTime,
}

/// A signal as people see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Signal {
    /// The signal, as its receiver sees it.
    #[serde(flatten)]
    pub signal: ReceivedSignal,
    /// What it did, as in the answer to its sender.
    #[schema(value_type = String)]
    pub effect: SignalEffect,
    /// The key a repeat is recognised by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Name of the key that signed the token it came with; absent for an
    /// operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_kid: Option<String>,
}

/// A page of the signals of an execution, in the order they were accepted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Signals {
    /// The signals.
    pub signals: Vec<Signal>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
