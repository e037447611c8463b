//! Signals: sent, delivered and read.

use model::{ExecutionId, SignalEffect, SignalId, WaitpointId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};
use super::operator::asks;
use super::payload::{encoded, present};

/// A signal from a sender with a waitpoint token. At most one of `payload`,
/// `payload_text` and `payload_base64` is given; at most 65536 bytes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendSignal {
    /// Token of the waitpoint it is sent to.
    pub waitpoint_token: String,
    /// Name of the signal, 1 to 128 bytes without control characters.
    pub signal_name: String,
    /// The payload, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub payload: Option<Box<RawValue>>,
    /// The payload, as text instead.
    pub payload_text: Option<String>,
    /// The payload, as base64 instead (standard alphabet, padded).
    pub payload_base64: Option<String>,
    /// Media type of the payload; when absent, that of the form it is given in.
    pub content_type: Option<String>,
    /// A category of the sender's choice; at most 255 bytes.
    pub signal_category: Option<String>,
    /// Type of the sender, 1 to 255 bytes, but not `operator` or `webhook`; `api` when
    /// absent. Not verified, nor is `source_identity`.
    pub source_type: Option<String>,
    /// Which sender of that type, 1 to 255 bytes; the fingerprint of the token when
    /// absent. `DistinctSources` counts pairs of type and identity.
    pub source_identity: Option<String>,
    /// A correlation id of the sender's choice; at most 255 bytes.
    pub correlation_id: Option<String>,
    /// Makes the request safe to repeat: another to the same waitpoint with this key, 1
    /// to 255 bytes, has no effect and is answered as the first was.
    pub idempotency_key: Option<String>,
    /// How long the key is remembered, in milliseconds, 1 to ten years; 24 hours
    /// when absent.
    pub dedup_ttl_ms: Option<u64>,
}

asks! {
    /// A signal from an operator, who needs no token. At most one of `payload`,
    /// `payload_text` and `payload_base64` is given; at most 65536 bytes.
    OperatorSignal {
        /// Waitpoint it is sent to, by id or key; the only open one when absent.
        waitpoint?: Option<String>,
        /// Name of the signal, 1 to 128 bytes without control characters.
        signal_name: String,
        /// The payload, as JSON; kept byte for byte.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        payload: Option<Box<RawValue>> as Option<serde_json::Value>,
        /// The payload, as text instead.
        payload_text?: Option<String>,
        /// The payload, as base64 instead (standard alphabet, padded).
        payload_base64?: Option<String>,
        /// Media type of the payload; when absent, that of the form it is given in.
        content_type?: Option<String>,
        /// A category of the sender's choice; at most 255 bytes.
        signal_category?: Option<String>,
        /// A correlation id of the sender's choice; at most 255 bytes.
        correlation_id?: Option<String>,
        /// Makes the request safe to repeat: another to the same waitpoint with this
        /// key, 1 to 255 bytes, has no effect and is answered as the first was.
        idempotency_key?: Option<String>,
        /// How long the key is remembered, in milliseconds, 1 to ten years; 24
        /// hours when absent.
        dedup_ttl_ms?: Option<u64>,
    }

    /// An operator's approval or rejection. Each actor counts once for each. At most
    /// one of `payload`, `payload_text` and `payload_base64` is given; at most
    /// 65536 bytes.
    #[derive(Default)]
    Decide {
        /// Waitpoint it is sent to, by id or key; the only open one when absent.
        waitpoint?: Option<String>,
        /// Identifies the decision when it is sent again, at most 237 bytes; the actor
        /// when absent.
        idempotency_suffix?: Option<String>,
        /// The payload, as JSON; kept byte for byte.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        payload: Option<Box<RawValue>> as Option<serde_json::Value>,
        /// The payload, as text instead.
        payload_text?: Option<String>,
        /// The payload, as base64 instead (standard alphabet, padded).
        payload_base64?: Option<String>,
        /// Media type of the payload; when absent, that of the form it is given in.
        content_type?: Option<String>,
    }
}

answers! {
    /// A signal that was accepted.
    DeliveredSignal(delivered: engine::Delivered) {
        /// Id of the signal; that of the first delivery if this is a duplicate.
        signal_id: SignalId as String,
        /// Execution it was sent to.
        execution_id: ExecutionId as String,
        /// Waitpoint that accepted it.
        waitpoint_id: WaitpointId as String,
        /// Effect it had: `appended_to_waitpoint`, `resume_condition_satisfied`,
        /// `no_op`, `signal_ignored_not_in_condition`,
        /// `signal_ignored_matcher_failed`, `appended_to_waitpoint_duplicate` or
        /// `buffered_for_pending_waitpoint`.
        effect: SignalEffect as String,
        /// Whether it had been delivered before, and did nothing now.
        duplicate: bool,
    }
}

/// The answer to a callback, which tells its sender nothing else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CallbackAnswer {
    /// `accepted`, or `duplicate` when it had been accepted before.
    pub status: String,
}

answers! {
    /// A signal as the handler that it resumes sees it.
    ReceivedSignal(signal: engine::ReceivedSignal) {
        /// Id of the signal.
        signal_id: SignalId as String = signal.id,
        /// Waitpoint that accepted it.
        waitpoint_id: WaitpointId as String,
        /// Key of that waitpoint.
        waitpoint_key: String,
        /// Name of the signal.
        signal_name: String = signal.name,
        /// Category the sender gave; absent without one.
        signal_category?: Option<String> = signal.category,
        /// Type of the sender: `operator`, `webhook`, or what the sender says.
        source_type: String,
        /// Which sender of that type: the actor, the fingerprint of the token, or what
        /// the sender says.
        source_identity: String,
        /// Correlation id the sender gave; absent without one.
        correlation_id?: Option<String>,
        /// Media type of the payload; absent without a payload.
        content_type?: Option<String> = signal.payload.as_ref().map(|it| it.content_type.clone()),
        /// The payload, as base64 (standard alphabet, padded) in all cases; absent
        /// without one.
        payload_base64?: Option<String> = signal.payload.map(|it| encoded(&it.data)),
        /// Time it was accepted.
        #[serde(with = "rfc3339")]
        accepted_at: OffsetDateTime,
    }

    /// A signal as people see it.
    Signal(info: engine::SignalInfo) {
        /// The signal, as the handler that it resumes sees it.
        #[serde(flatten)]
        signal: ReceivedSignal = info.signal.into(),
        /// Effect it had, as in the answer to its sender.
        effect: SignalEffect as String,
        /// Idempotency key the sender gave; absent without one.
        idempotency_key?: Option<String>,
        /// Id of the key that signed its token; absent for an operator's signal.
        token_kid?: Option<String>,
    }
}

pages! {
    /// A page of the signals of an execution, in the order they were accepted.
    Signals of engine::SignalInfo {
        /// The signals of the page.
        signals: Vec<Signal>,
    }
}
