//! Reads frames of streams, many streams in one statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{
    AttemptFacts, ExecutionId, FrameEncoding, FrameId, FrameMode, Partition, StreamClosed,
    StreamFrame, StreamRefusal,
};
use time::{Duration, OffsetDateTime};

use crate::Error;
use crate::batch::{BatchItem, Flush};
use crate::columns::columns;
use crate::database::Pool;
use crate::row::{StoredTime, bigint, count, label, optional_label, optional_time};
use crate::stream::attempt_column;

/// Where a frame comes from whose writer says nothing else.
const SOURCE: &str = "worker";
/// Bytes that one stream is taken to have in a statement over many: few have new frames.
const EXPECTED_BYTES: usize = 16 << 10;

/// Which frames of a stream to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadFrames {
    pub(super) stream: (ExecutionId, u32),
    /// The place after which to read.
    pub(super) after: i64,
    /// The place up to which to read.
    pub(super) up_to: i64,
    /// Most frames that are read.
    pub(super) count: u32,
    /// Most bytes, unless one frame has more.
    pub(super) bytes: usize,
    pub(super) best_effort: bool,
    number: u64,
}

impl ReadFrames {
    pub(super) fn new(
        stream: (ExecutionId, u32),
        places: (i64, i64),
        (count, bytes): (u32, usize),
        best_effort: bool,
    ) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            stream,
            after: places.0,
            up_to: places.1,
            count,
            bytes,
            best_effort,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl BatchItem for ReadFrames {
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.stream.0.partition()
    }

    fn key(&self) -> (ExecutionId, u64) {
        (self.stream.0, self.number)
    }

    fn payload_bytes(&self) -> usize {
        EXPECTED_BYTES
    }
}

/// What was read of a stream, in one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct StreamRead {
    /// Of the execution; absent if there is none.
    pub(super) namespace: Option<String>,
    facts: AttemptFacts,
    /// In the order of their ids.
    pub(super) frames: Vec<Arc<StreamFrame>>,
    /// Whether there are more in the range.
    pub(super) more: bool,
    /// The place of the last frame that was appended; 0 before the first.
    pub(super) last_place: i64,
    pub(crate) closed: Option<StreamClosed>,
    /// Whether the stream is not kept any more.
    pub(crate) is_past_ttl: bool,
    /// The time of the snapshot, by the database's clock.
    pub(crate) now: OffsetDateTime,
    /// How many frames were found in the range, up to one more than was asked for.
    found: usize,
    /// Number of the call.
    number: usize,
}

impl StreamRead {
    /// Returns what it says besides its frames.
    pub(super) fn says(&self) -> (Option<String>, Option<StreamClosed>, [bool; 3]) {
        let answers = [self.more, self.facts.never_made(), self.is_past_ttl];
        (self.namespace.clone(), self.closed, answers)
    }

    /// Whether a frame of best effort was not to be read any more at the time.
    pub(super) fn has_expired(&self, frame: &StreamFrame) -> bool {
        let ttl_ms = u64::from(frame.ttl_ms.unwrap_or(0));
        let ends_at = i128::from(frame.id.ms + ttl_ms) * 1_000_000;
        ends_at < self.now.unix_timestamp_nanos()
    }

    /// Checks that a caller may read it.
    pub(crate) fn check(&self, namespace: Option<&str>) -> Result<(), StreamRefusal> {
        let found = self.namespace.as_deref();
        if found.is_none() || namespace.is_some_and(|it| Some(it) != found) {
            return Err(StreamRefusal::ExecutionNotFound);
        }
        match self.facts.never_made() {
            true => Err(StreamRefusal::AttemptNotFound {
                attempt: self.facts.attempt,
            }),
            false => Ok(()),
        }
    }
}

/// Reads frames for the heads of tails.
pub(crate) struct FrameReads(pub(crate) Pool);

impl Flush<ReadFrames> for FrameReads {
    type Verdict = StreamRead;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<ReadFrames>],
        _retried: bool,
    ) -> Result<Vec<StreamRead>, Error> {
        let calls: Vec<&ReadFrames> = batch.iter().map(Box::as_ref).collect();
        read_frames(&self.0, partition, &calls).await
    }
}

/// Reads frames of streams of one partition, in the order of the calls.
pub(super) async fn read_frames(
    pool: &Pool,
    partition: Partition,
    calls: &[&ReadFrames],
) -> Result<Vec<StreamRead>, Error> {
    let rows = columns!(
        query_file_as!(FrameRow, "src/stream/read/frames.sql", partition.column());
        for call in calls => {
            ids = call.stream.0.uuid();
            attempts = attempt_column(call.stream.1);
            afters = call.after;
            up_tos = call.up_to;
            // One more than is asked for tells whether there is.
            counts = i64::from(call.count) + 1;
            bytes = bigint(call.bytes as u64);
            best_efforts = call.best_effort;
        }
    )
    .fetch_all(pool)
    .await?;
    let mut reads: Vec<StreamRead> = Vec::with_capacity(calls.len());
    for row in rows {
        let begins = row.number as usize > reads.len();
        if begins {
            reads.push(row.begin(calls[reads.len()])?);
        }
        let read = reads.last_mut().expect("invariant: it was begun");
        if read.frames.len() < calls[read.number].count as usize && !read.is_past_ttl {
            read.frames.extend(row.frame()?.map(Arc::new));
        }
    }
    assert_eq!(reads.len(), calls.len(), "every stream has a row");
    for read in &mut reads {
        read.more = !read.is_past_ttl && read.found > read.frames.len();
    }
    Ok(reads)
}

/// Reads what says whether streams of one partition are closed, and no frames.
pub(crate) async fn read_facts(
    pool: &Pool,
    partition: Partition,
    streams: &[(ExecutionId, u32)],
) -> Result<Vec<StreamRead>, Error> {
    let call = |stream: &(ExecutionId, u32)| ReadFrames::new(*stream, (0, -1), (0, 0), false);
    let calls: Vec<ReadFrames> = streams.iter().map(call).collect();
    let calls: Vec<&ReadFrames> = calls.iter().collect();
    read_frames(pool, partition, &calls).await
}

/// A row of the statement.
struct FrameRow {
    number: i64,
    now: OffsetDateTime,
    namespace: Option<String>,
    running: Option<i32>,
    next: Option<i32>,
    ended: Option<String>,
    released_at: Option<StoredTime>,
    outcome: Option<String>,
    finished_at: Option<StoredTime>,
    attempts: Option<i32>,
    timed_out: bool,
    last_place: Option<i64>,
    ttl_ms: Option<i64>,
    best_effort_ttl_ms: Option<i32>,
    found: Option<i64>,
    place: Option<i64>,
    mode: Option<String>,
    ordinal: Option<i64>,
    ts: Option<StoredTime>,
    is_text: Option<bool>,
    frame_type: Option<String>,
    payload: Option<Vec<u8>>,
    metadata: Option<String>,
    correlation_id: Option<String>,
    source: Option<String>,
}

impl FrameRow {
    /// Reads what every row says of its stream.
    fn begin(&self, call: &ReadFrames) -> Result<StreamRead, Error> {
        let (id, attempt) = call.stream;
        let time = |table, column, at| optional_time(table, column, id, at);
        let ended = optional_label("attempt", "ended", id, self.ended.as_deref())?;
        let released_at = time("attempt", "released_at", self.released_at)?;
        let outcome = optional_label("finished", "outcome", id, self.outcome.as_deref())?;
        let finished_at = time("finished", "finished_at", self.finished_at)?;
        let number = |number: Option<i32>| number.map(count);
        let facts = AttemptFacts {
            attempt,
            running: number(self.running),
            next: number(self.next),
            last_end: ended.zip(released_at),
            finished: outcome
                .zip(finished_at)
                .zip(number(self.attempts))
                .map(|((outcome, at), attempts)| (outcome, at, attempts)),
            suspension_timed_out: self.timed_out,
        };
        let closed = facts.closed();
        let past_ttl = |closed: StreamClosed| {
            let ttl = Duration::milliseconds(self.ttl_ms?);
            Some(closed.at.checked_add(ttl)? <= self.now)
        };
        Ok(StreamRead {
            namespace: self.namespace.clone(),
            facts,
            frames: Vec::new(),
            more: false,
            last_place: self.last_place.unwrap_or(0),
            closed,
            now: self.now,
            is_past_ttl: closed.and_then(past_ttl).unwrap_or(false),
            found: self.found.unwrap_or(0).unsigned_abs() as usize,
            number: self.number.unsigned_abs() as usize - 1,
        })
    }

    /// Reads the frame of the row, if it has one.
    fn frame(self) -> Result<Option<StreamFrame>, Error> {
        let (Some(place), Some(mode)) = (self.place, self.mode) else {
            return Ok(None);
        };
        let id = FrameId::from_place(place);
        let mode: FrameMode = label("stream_frame", "mode", id, &mode)?;
        let ts = match self.ts {
            Some(ts) => ts.read("stream_frame", "ts", id)?,
            None => time_of(id)?,
        };
        let ordinal = self.ordinal.unwrap_or(0).unsigned_abs();
        let ttl_ms = self.best_effort_ttl_ms.map(count);
        Ok(Some(StreamFrame {
            id,
            frame_type: self.frame_type.unwrap_or_default(),
            mode,
            payload: self.payload.unwrap_or_default(),
            encoding: match self.is_text {
                Some(true) => FrameEncoding::Utf8,
                _ => FrameEncoding::Base64,
            },
            ts,
            source: self.source.unwrap_or_else(|| SOURCE.to_owned()),
            correlation_id: self.correlation_id,
            metadata: self.metadata,
            summary_version: (mode == FrameMode::DurableSummary).then_some(ordinal),
            ttl_ms: ttl_ms.filter(|_| mode == FrameMode::BestEffort),
        }))
    }
}

/// Returns the time of an id.
fn time_of(id: FrameId) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(id.ms) * 1_000_000)
        .map_err(|error| Error::corrupt("stream_frame", "place", id, error))
}
