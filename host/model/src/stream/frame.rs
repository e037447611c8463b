//! Frames as they are read.

use time::OffsetDateTime;

use super::FrameId;
use crate::Limits;
use crate::wire::named;

impl Limits {
    /// Most frames of one page of a stream.
    pub const STREAM_PAGE_MAX: u32 = 10_000;
    /// Frames of a page when the reader names no number.
    pub const STREAM_PAGE_DEFAULT: u32 = 100;
    /// Bytes of payloads and metadata after which a page of a stream, or of a log, ends.
    pub const STREAM_PAGE_BYTES_MAX: usize = 4 << 20;
    /// Longest that a tail waits for frames, in milliseconds.
    pub const STREAM_WAIT_MS_MAX: u64 = 30_000;
}

named! {
    /// How a frame is kept. Labels of the Postgres enum `frame_mode`.
    pub enum FrameMode ("frame mode") {
        /// It is kept while it is among the newest of its mode.
        Durable = "durable",
        /// It is a patch of the summary document, and kept like a durable one.
        DurableSummary = "durable_summary",
        /// It is for those who read at the time, and expires.
        BestEffort = "best_effort",
    }
}

named! {
    /// How the payload of a frame is written where only text is possible.
    pub enum FrameEncoding ("frame encoding") {
        /// As the text that it is.
        Utf8 = "utf8",
        /// In base64, in the standard alphabet, padded.
        Base64 = "base64",
    }
}

named! {
    /// Which frames a reader wants.
    #[derive(Default)]
    pub enum Visibility ("visibility") {
        /// Frames of every mode.
        #[default]
        All = "all",
        /// Frames of every mode but `best_effort`.
        ExcludeBestEffort = "exclude_best_effort",
    }
}

/// One frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFrame {
    /// Its id, by which frames are ordered.
    pub id: FrameId,
    /// What kind of frame it is, in the words of its writer.
    pub frame_type: String,
    /// How it is kept.
    pub mode: FrameMode,
    /// The bytes, as they were appended.
    pub payload: Vec<u8>,
    /// How the payload is written in text; always `Base64` for bytes that are not UTF-8.
    pub encoding: FrameEncoding,
    /// The time that its writer gave it, or else that of its id.
    pub ts: OffsetDateTime,
    /// Where it comes from, in the words of its writer; `worker` if they gave none.
    pub source: String,
    /// What it belongs to, in the words of its writer.
    pub correlation_id: Option<String>,
    /// JSON of its writer.
    pub metadata: Option<String>,
    /// Version of the summary document with this patch; absent unless it is one.
    pub summary_version: Option<u64>,
    /// How long it can be read, in milliseconds; absent unless it is of best effort.
    pub ttl_ms: Option<u32>,
}

impl StreamFrame {
    /// Returns the bytes that count against the bound of a page.
    pub fn bytes(&self) -> usize {
        self.payload.len() + self.metadata.as_ref().map_or(0, String::len)
    }
}
