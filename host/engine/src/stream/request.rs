//! What callers ask of streams, and what they are answered.

use std::sync::Arc;
use std::time::Duration;

use model::{
    ExecutionId, FrameId, Invalid, Limits, LogPlace, StreamClosed, StreamCursor, StreamFrame,
    StreamRefusal, Visibility, check_range,
};
use time::OffsetDateTime;

/// The answer to an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The id that the frame was given.
    pub frame_id: FrameId,
    /// How many frames the stream was appended by then, those that were removed included.
    pub frame_count: u64,
    /// Version of the summary document with this patch; absent unless the frame is one.
    pub summary_version: Option<u64>,
}

/// Which frames of a stream to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadStream {
    /// The execution whose attempt it is.
    pub execution_id: ExecutionId,
    /// Number of the attempt, from zero.
    pub attempt: u32,
    /// The caller's namespace; an execution elsewhere is not found. Absent for callers
    /// that may see every namespace.
    pub namespace: Option<String>,
    /// Where the range begins, included.
    pub from: StreamCursor,
    /// Where it ends, included.
    pub to: StreamCursor,
    /// Most frames, 1 to 10,000.
    pub count: u32,
    /// Frames of which modes are read.
    pub visibility: Visibility,
}

/// Which frames of a stream to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailStream {
    /// The execution whose attempt it is.
    pub execution_id: ExecutionId,
    /// Number of the attempt, from zero.
    pub attempt: u32,
    /// The caller's namespace, as in [`ReadStream`].
    pub namespace: Option<String>,
    /// Frames after this one: an id, not `start` or `end`.
    pub after: StreamCursor,
    /// Most frames, 1 to 10,000.
    pub count: u32,
    /// Frames of which modes are read.
    pub visibility: Visibility,
    /// How long to wait for the first frame, at most 30 seconds.
    pub wait: Duration,
}

/// Frames of a stream, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamPage {
    /// The frames; at most as many as were asked for, and some 4 MiB.
    pub frames: Vec<Arc<StreamFrame>>,
    /// Whether more frames that were asked for can be read at once after the last of these.
    pub more: bool,
    /// When and why the stream was closed; absent while it is open. A tail says it only
    /// when no frame is left to read.
    pub closed: Option<StreamClosed>,
}

impl StreamPage {
    /// Returns the id of the last frame, after which a reader continues.
    pub fn last(&self) -> Option<FrameId> {
        self.frames.last().map(|frame| frame.id)
    }
}

/// The summary document of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSummary {
    /// The document, a JSON object of at most 256 KiB.
    pub document_json: Vec<u8>,
    /// How many patches made it.
    pub version: u64,
    /// When the first was merged.
    pub first_applied_at: OffsetDateTime,
    /// When the last was merged.
    pub last_updated_at: OffsetDateTime,
}

/// Which part of the log of an attempt to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLog {
    /// The execution whose attempt it is.
    pub execution_id: ExecutionId,
    /// Number of the attempt, from zero.
    pub attempt: u32,
    /// The caller's namespace, as in [`ReadStream`].
    pub namespace: Option<String>,
    /// What comes after this place.
    pub after: LogPlace,
}

/// A part of the log of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPage {
    /// UTF-8 text, one record per line; it may end within a character.
    pub text: Vec<u8>,
    /// The place after it, where a reader continues.
    pub next: LogPlace,
    /// Whether more can be read at once from there.
    pub more: bool,
    /// When and why the attempt ended; absent while more may be logged, and while more can
    /// be read.
    pub closed: Option<StreamClosed>,
}

/// Returns the number of an attempt as the database has it; one that is too large for it is
/// that of no attempt.
pub(super) fn attempt_column(attempt: u32) -> i32 {
    i32::try_from(attempt).unwrap_or(i32::MAX)
}

/// Checks how many frames a page may have.
pub(super) fn check_count(count: u32) -> Result<(), StreamRefusal> {
    if count > Limits::STREAM_PAGE_MAX {
        return Err(StreamRefusal::CountLimitExceedsHardCap { count });
    }
    Ok(check_range("count", count, 1..=Limits::STREAM_PAGE_MAX)?)
}

impl ReadStream {
    pub(super) fn check(&self) -> Result<(), StreamRefusal> {
        check_count(self.count)?;
        if self.from.first().place() > self.to.last().place() {
            let (from, to) = (self.from, self.to);
            return Err(Invalid::new("from", format!("{from} is after `to`, {to}")).into());
        }
        Ok(())
    }
}

impl TailStream {
    pub(super) fn check(&self) -> Result<(), StreamRefusal> {
        check_count(self.count)?;
        if !self.after.is_concrete() {
            let after = self.after;
            let detail = format!("{after} is not an id; 0-0 is before the first frame");
            return Err(Invalid::new("after", detail).into());
        }
        let wait_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
        Ok(check_range(
            "wait_ms",
            wait_ms,
            0..=Limits::STREAM_WAIT_MS_MAX,
        )?)
    }
}
