//! append_log: a piece of the log under a lease, active → active.
//!
//! Locks: the lease rows, for share of their keys. No event.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use model::{AppendRefusal, ExecutionId, Fence, Limits, Partition, check_range};

use crate::batch::{BatchItem, Flush};
use crate::checks::payload_bytes;
use crate::columns::columns;
use crate::row::bigint;
use crate::statements::{Statements, TRIES, conflict};
use crate::{Declined, Engine, Error};

/// Greatest offset of a piece in the log of a lease.
const OFFSET_MAX: u64 = 1 << 30;

/// One piece of a log.
#[derive(Debug)]
pub(crate) struct AppendLog {
    fence: Fence,
    offset: u64,
    text: Vec<u8>,
    number: u64,
}

pub(crate) type AppendLogVerdict = Result<(), AppendRefusal>;

impl Engine {
    /// Appends what an attempt has logged since `offset` bytes of its log under this lease.
    /// What was appended before is recognized by its offset, so that a call may be
    /// repeated. Pieces must leave no gap; nothing is read beyond one.
    ///
    /// # Refusals
    /// See [`AppendRefusal`]; a text of more than 64 KiB, or an offset beyond 1 GiB, is
    /// invalid.
    pub async fn append_log(
        &self,
        fence: Fence,
        offset: u64,
        text: Vec<u8>,
    ) -> Result<(), Declined<AppendRefusal>> {
        check_range("offset", offset, 0..=OFFSET_MAX)?;
        payload_bytes("text", text.len(), Limits::LOG_BYTES_MAX as u32)?;
        if text.is_empty() {
            return Ok(());
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let call = AppendLog {
            fence,
            offset,
            text,
            number,
        };
        Ok(self.inner.batchers.append_log.call(call).await??)
    }
}

impl BatchItem for AppendLog {
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> (ExecutionId, u64) {
        (self.fence.execution_id, self.number)
    }

    fn payload_bytes(&self) -> usize {
        self.text.len()
    }
}

impl Flush<AppendLog> for Statements {
    type Verdict = AppendLogVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<AppendLog>],
        _retried: bool,
    ) -> Result<Vec<AppendLogVerdict>, Error> {
        let mut verdicts: HashMap<Fence, AppendLogVerdict> = HashMap::new();
        let mut open: Vec<&AppendLog> = batch.iter().map(Box::as_ref).collect();
        for _ in 0..TRIES {
            for fence in self.append_logs(partition, &open).await? {
                verdicts.insert(fence, Ok(()));
            }
            open.retain(|call| !verdicts.contains_key(&call.fence));
            if open.is_empty() {
                break;
            }
            let misses: Vec<Fence> = open.iter().map(|call| call.fence).collect();
            let observed = self.observe(partition, &misses).await?;
            for call in &open {
                let fence = &call.fence;
                let refusal = match observed.get(&fence.execution_id) {
                    Some(it) if it.observed.holds(fence, false) => continue,
                    Some(it) => AppendRefusal::of(&it.observed, fence),
                    None => AppendRefusal::ExecutionNotFound,
                };
                verdicts.insert(*fence, Err(refusal));
            }
            open.retain(|call| !verdicts.contains_key(&call.fence));
            if open.is_empty() {
                break;
            }
        }
        let appended: HashSet<ExecutionId> = verdicts
            .iter()
            .filter(|(_, verdict)| verdict.is_ok())
            .map(|(fence, _)| fence.execution_id)
            .collect();
        self.wake.streamed(appended.iter().copied());
        let answer = |call: &AppendLog| {
            let verdict = verdicts.get(&call.fence).cloned();
            verdict.ok_or_else(|| conflict(call.fence.execution_id))
        };
        batch.iter().map(Box::as_ref).map(answer).collect()
    }
}

impl Statements {
    /// Appends pieces; returns the fences of those whose lease is held.
    async fn append_logs(
        &self,
        partition: Partition,
        calls: &[&AppendLog],
    ) -> Result<Vec<Fence>, Error> {
        let rows = columns!(
            query_file!("src/stream/log/append.sql", partition.column());
            for call in calls => {
                ids = call.fence.execution_id.uuid();
                lease_ids = call.fence.lease_id.0;
                epochs = call.fence.epoch as i64;
                attempts = call.fence.attempt as i32;
                offsets = bigint(call.offset);
                texts as &[u8] = call.text.as_slice();
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        let fences = rows
            .into_iter()
            .map(|row| crate::row::fence(row.execution_id, row.lease_id, row.epoch, row.attempt));
        Ok(fences.collect())
    }
}
