//! Frames of a stream as they are read, and the summary.

use std::collections::BTreeMap;

use engine::StreamPage;
use model::{ClosedReason, FrameEncoding, FrameId, StreamClosed};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use crate::api::payload::encoded;

/// Frames of the stream of an attempt, in order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StreamFrames {
    /// The frames, by their ids; none if the range or the wait had none.
    pub frames: Vec<StreamFrame>,
    /// Number of frames on the page.
    pub count: usize,
    /// What to pass to read what follows now: of a range as `from`, of a tail as `after`.
    /// Absent when nothing follows yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Time the attempt ended: nothing is appended any more. Absent while it may continue.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub closed_at: Option<OffsetDateTime>,
    /// How the attempt ended: `attempt_success`, `attempt_failure`, `attempt_cancelled`,
    /// `attempt_interrupted`, `lease_expired`, `reclaimed`, `expired`, `suspension_timeout`
    /// or `dependency_impossible`. Absent while it may continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub closed_reason: Option<ClosedReason>,
}

/// A frame of a stream.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StreamFrame {
    /// Its place in the stream, `<ms>-<seq>`: the server assigns it, and a frame that is
    /// appended later has a greater one.
    pub id: String,
    /// What it consists of, as texts: `frame_type`, `mode`, `payload`, `encoding` (`utf8`, or
    /// `base64`), `source` and `ts`, in milliseconds since 1970; and those of
    /// `correlation_id`, `metadata`, `summary_version` and `ttl_ms` that it has.
    pub fields: BTreeMap<String, String>,
}

/// The document that the summary frames of an attempt are merged into.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StreamSummary {
    /// The document; null before the first patch.
    #[schema(value_type = serde_json::Value)]
    pub document: Box<RawValue>,
    /// How many patches were merged into it.
    pub version: u64,
    /// Time of the first patch; absent before it.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub first_applied_at: Option<OffsetDateTime>,
    /// Time of the last patch; absent before the first.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_updated_at: Option<OffsetDateTime>,
}

/// The end of a stream that was followed.
#[derive(Debug, Clone, Serialize)]
pub struct StreamEnd {
    cursor: String,
    #[serde(with = "rfc3339")]
    closed_at: OffsetDateTime,
    closed_reason: ClosedReason,
}

impl StreamFrames {
    /// Shows a page of a range.
    pub fn of_range(page: StreamPage) -> Self {
        let next = page.last().filter(|_| page.more).map(FrameId::next);
        Self::new(page, next)
    }

    /// Shows a page of a tail.
    pub fn of_tail(page: StreamPage) -> Self {
        let next = page.last().filter(|_| page.more);
        Self::new(page, next)
    }

    fn new(page: StreamPage, next: Option<FrameId>) -> Self {
        let frames = page.frames.iter().map(|frame| StreamFrame::new(frame));
        Self {
            frames: frames.collect(),
            count: page.frames.len(),
            next_cursor: next.map(|id| id.to_string()),
            closed_at: page.closed.map(|closed| closed.at),
            closed_reason: page.closed.map(|closed| closed.reason),
        }
    }
}

impl StreamFrame {
    /// Shows a frame.
    pub fn new(frame: &model::StreamFrame) -> Self {
        let payload = match (frame.encoding, str::from_utf8(&frame.payload)) {
            (FrameEncoding::Utf8, Ok(text)) => (FrameEncoding::Utf8, text.to_owned()),
            _ => (FrameEncoding::Base64, encoded(&frame.payload)),
        };
        let (encoding, payload) = payload;
        let ts = frame.ts.unix_timestamp_nanos() / 1_000_000;
        let number = |it: Option<u64>| it.map(|it| it.to_string());
        let fields = [
            ("frame_type", Some(frame.frame_type.clone())),
            ("mode", Some(frame.mode.to_string())),
            ("payload", Some(payload)),
            ("encoding", Some(encoding.to_string())),
            ("source", Some(frame.source.clone())),
            ("ts", Some(ts.to_string())),
            ("correlation_id", frame.correlation_id.clone()),
            ("metadata", frame.metadata.clone()),
            ("summary_version", number(frame.summary_version)),
            ("ttl_ms", number(frame.ttl_ms.map(u64::from))),
        ];
        let given = fields.into_iter();
        let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self {
            id: frame.id.to_string(),
            fields: given.collect(),
        }
    }
}

impl StreamSummary {
    /// Shows a summary, if there is one.
    pub fn new(summary: Option<engine::StreamSummary>) -> Self {
        let document = summary.as_ref().map(|it| it.document_json.clone());
        let document =
            document.and_then(|json| RawValue::from_string(String::from_utf8(json).ok()?).ok());
        Self {
            document: document.unwrap_or_else(|| RawValue::NULL.to_owned()),
            version: summary.as_ref().map_or(0, |it| it.version),
            first_applied_at: summary.as_ref().map(|it| it.first_applied_at),
            last_updated_at: summary.as_ref().map(|it| it.last_updated_at),
        }
    }
}

impl StreamEnd {
    /// Shows the end of a stream to a reader that is at `cursor`.
    pub const fn new(cursor: String, closed: StreamClosed) -> Self {
        Self {
            cursor,
            closed_at: closed.at,
            closed_reason: closed.reason,
        }
    }
}
