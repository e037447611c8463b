//! read_log and tail_log: the log of an attempt after a place.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{ExecutionId, Limits, LogPlace, Partition, StreamRefusal, check_range};
use tokio::time::{Instant, timeout_at};

use crate::batch::{BatchItem, Flush};
use crate::database::Pool;
use crate::row::{bigint, epoch};
use crate::stream::{LogPage, ReadLog, StreamRead, attempt_column, read_facts};
use crate::{Declined, Engine, Error};

/// Most leases of a page, and most pieces of each.
const LEASES_MAX: i64 = 8;
const PIECES_MAX: i64 = 64;
/// Bytes that one log is taken to have in a statement over many.
const EXPECTED_BYTES: usize = 16 << 10;
/// First pause without a wake-up before a read; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(2);

impl Engine {
    /// Reads the log of an attempt after a place: what was recorded with the end of each
    /// lease, and what was appended under one that is held or was lost.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn read_log(&self, request: &ReadLog) -> Result<LogPage, Declined<StreamRefusal>> {
        check_range("after", request.after.offset, 0..=i32::MAX as u64 - 1)?;
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let call = ReadLogCall {
            stream: (request.execution_id, request.attempt),
            after: request.after,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        };
        let (read, mut page) = self.inner.batchers.logs.call(call).await?;
        read.check(request.namespace.as_deref())?;
        page.closed = read.closed.filter(|_| !page.more);
        Ok(page)
    }

    /// Reads the log after a place, and waits for more if there is none: until there is
    /// some, until the attempt has ended, or for `wait`, at most 30 seconds.
    ///
    /// No connection to the database is held while it waits; reads of many are batched.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn tail_log(
        &self,
        request: &ReadLog,
        wait: Duration,
    ) -> Result<LogPage, Declined<StreamRefusal>> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        check_range("wait_ms", wait_ms, 0..=Limits::STREAM_WAIT_MS_MAX)?;
        let until = Instant::now() + wait;
        // Before the read, so that what is appended after it is not missed.
        let mut changes = self.inner.wake.follow(request.execution_id);
        let mut poll = POLL_MIN;
        loop {
            changes.mark_unchanged();
            let page = self.read_log(request).await?;
            let over = Instant::now() >= until;
            if !page.text.is_empty() || page.more || page.closed.is_some() || over {
                return Ok(page);
            }
            changes.ask_others();
            let poll_at = until.min(Instant::now() + poll);
            poll = match timeout_at(poll_at, changes.changed()).await {
                Ok(()) => POLL_MIN,
                Err(_) => (poll * 2).min(POLL_MAX),
            };
        }
    }
}

/// A read of one log.
pub(crate) struct ReadLogCall {
    stream: (ExecutionId, u32),
    after: LogPlace,
    number: u64,
}

impl BatchItem for ReadLogCall {
    /// Many reads of one log share a statement.
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

/// Reads logs, those that many ask for once.
pub(crate) struct LogReads(pub(crate) Pool);

impl Flush<ReadLogCall> for LogReads {
    type Verdict = (StreamRead, LogPage);

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<ReadLogCall>],
        _retried: bool,
    ) -> Result<Vec<(StreamRead, LogPage)>, Error> {
        let mut asked: Vec<_> = batch.iter().map(|call| (call.stream, call.after)).collect();
        asked.sort_unstable();
        asked.dedup();
        let streams: Vec<_> = asked.iter().map(|(stream, _)| *stream).collect();
        // First, since nothing is logged after the end.
        let facts = read_facts(&self.0, partition, &streams).await?;
        let pages = read_logs(&self.0, partition, &asked).await?;
        let found: HashMap<_, _> = asked
            .into_iter()
            .zip(facts.into_iter().zip(pages))
            .collect();
        let answers = batch
            .iter()
            .map(|call| found[&(call.stream, call.after)].clone());
        Ok(answers.collect())
    }
}

/// Reads logs after places in them, in the order of the calls.
async fn read_logs(
    pool: &Pool,
    partition: Partition,
    asked: &[((ExecutionId, u32), LogPlace)],
) -> Result<Vec<LogPage>, Error> {
    let mut ids = Vec::with_capacity(asked.len());
    let mut attempts = Vec::with_capacity(asked.len());
    let mut epochs = Vec::with_capacity(asked.len());
    let mut offsets = Vec::with_capacity(asked.len());
    for ((id, attempt), after) in asked {
        ids.push(id.uuid());
        attempts.push(attempt_column(*attempt));
        epochs.push(bigint(after.epoch));
        offsets.push(bigint(after.offset));
    }
    let rows = sqlx::query_file!(
        "src/stream/log/read.sql",
        partition.column(),
        &ids,
        &attempts,
        &epochs,
        &offsets,
        LEASES_MAX,
        PIECES_MAX
    )
    .fetch_all(pool)
    .await?;
    let mut logs: Vec<Composed> = asked
        .iter()
        .map(|(_, after)| Composed::new(*after))
        .collect();
    for row in rows {
        let log = &mut logs[row.number.unsigned_abs() as usize - 1];
        log.lease(epoch(row.epoch));
        match (row.bytes, row.text, row.at_byte, row.piece) {
            (Some(_), Some(text), ..) => log.add(&text),
            (.., Some(at), Some(piece)) => log.piece(at.unsigned_abs(), &piece),
            _ => {}
        }
    }
    Ok(logs.into_iter().map(Composed::page).collect())
}

/// A page while its rows are read.
struct Composed {
    page: LogPage,
    leases: i64,
    pieces: i64,
}

impl Composed {
    fn new(after: LogPlace) -> Self {
        let page = LogPage {
            next: after,
            ..LogPage::default()
        };
        Self {
            page,
            leases: 0,
            pieces: 0,
        }
    }

    /// Begins the next lease, unless the row is another one of the present.
    fn lease(&mut self, epoch: u64) {
        let begins = self.leases == 0 || epoch != self.page.next.epoch;
        // A lease with more pieces than were read is not left.
        if !begins || self.page.more {
            return;
        }
        self.leases += 1;
        self.pieces = 0;
        if epoch != self.page.next.epoch {
            self.page.next = LogPlace { epoch, offset: 0 };
        }
    }

    fn add(&mut self, text: &[u8]) {
        if !self.page.more {
            self.page.text.extend_from_slice(text);
            self.page.next.offset += text.len() as u64;
        }
    }

    /// Adds what a piece has after the place; nothing beyond a gap.
    fn piece(&mut self, at_byte: u64, text: &[u8]) {
        self.pieces += 1;
        let Some(known) = self.page.next.offset.checked_sub(at_byte) else {
            return;
        };
        let new = text.get(known as usize..).unwrap_or_default();
        self.add(new);
        self.page.more |= self.pieces == PIECES_MAX && !new.is_empty();
    }

    fn page(mut self) -> LogPage {
        self.page.more |= self.leases == LEASES_MAX;
        self.page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_continue_without_gap_or_repeat() {
        let after = LogPlace {
            epoch: 3,
            offset: 4,
        };
        let mut log = Composed::new(after);
        log.lease(3);
        log.piece(0, b"abcdef");
        log.piece(5, b"fgh");
        log.piece(20, b"later");
        let page = log.page();
        assert_eq!(page.text, b"efgh");
        assert_eq!(
            page.next,
            LogPlace {
                epoch: 3,
                offset: 8
            }
        );
        let mut log = Composed::new(page.next);
        log.lease(3);
        log.add(b"ij");
        log.lease(5);
        log.add(b"kl");
        let page = log.page();
        assert_eq!(page.text, b"ijkl");
        assert_eq!(
            page.next,
            LogPlace {
                epoch: 5,
                offset: 2
            }
        );
        assert!(!page.more);
    }

    #[test]
    fn a_lease_with_more_pieces_is_continued_before_the_next() {
        let mut log = Composed::new(LogPlace::START);
        log.lease(1);
        for n in 0..PIECES_MAX as u64 {
            log.piece(n, b"x");
        }
        log.lease(2);
        log.add(b"next");
        let page = log.page();
        assert_eq!(page.text.len(), PIECES_MAX as usize);
        assert_eq!(
            (page.next, page.more),
            (
                LogPlace {
                    epoch: 1,
                    offset: 64
                },
                true
            )
        );
    }
}
