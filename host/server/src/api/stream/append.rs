//! What native workers append to the stream of the attempt they run.

use model::{FrameEncoding, FrameMode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::lease::one_or_many;
use crate::api::payload::present;

one_or_many! {
    AppendOneOrMany: AppendFrame or AppendFrames;
}

/// A frame to append to the stream of the attempt that runs under the lease.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppendFrame {
    /// Handle of the lease.
    pub lease: String,
    /// What kind of frame it is, for its readers: 1 to 64 bytes without control characters.
    pub frame_type: String,
    /// How it is kept: `durable` (when absent) while it is among the newest of its mode;
    /// `durable_summary` the same, and it is a patch of the summary; `best_effort` for a
    /// while, for readers that follow the stream.
    #[serde(default = "durable")]
    #[schema(value_type = String)]
    pub mode: FrameMode,
    /// The payload, written as `encoding` says; empty when absent. At most 65536 bytes, or as
    /// many as `max_payload_bytes` says.
    #[serde(default)]
    pub payload: String,
    /// `utf8` (when absent): the payload is the text itself. `base64`: it is the bytes that
    /// the text stands for (standard alphabet, padded). Readers get it in the same form.
    #[serde(default = "utf8")]
    #[schema(value_type = String)]
    pub encoding: FrameEncoding,
    /// Time of the frame by the clock of its writer, in milliseconds since 1970; that of its
    /// id when absent. It orders nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<u64>,
    /// Facts about the frame, as JSON; kept byte for byte, at most 8192 bytes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub metadata: Option<Box<RawValue>>,
    /// What the frame belongs to, such as a request: 1 to 255 bytes without control
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Where the frame is from: 1 to 255 bytes without control characters; `worker` when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many frames of its mode the stream keeps from then on, 0 to 1000000; 0 removes
    /// none, up to that bound. As the policy of the execution says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_maxlen: Option<u32>,
    /// How long frames of the mode `best_effort` can be read, in milliseconds, 1 to 3600000;
    /// 30000 when absent. Only of a frame of that mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u32>,
    /// Most bytes that the payload may have, 1 to 1048576; 65536 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_payload_bytes: Option<u32>,
}

const fn durable() -> FrameMode {
    FrameMode::Durable
}

const fn utf8() -> FrameEncoding {
    FrameEncoding::Utf8
}
