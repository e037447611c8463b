//! progress: active → active, with how far the attempt is.
//!
//! Locks: the lease rows. No event: progress is read, not subscribed to.

use std::collections::{HashMap, HashSet};

use model::{ExecutionId, Fence, Invalid, LeaseRefusal, Limits, Partition};

use super::observe::{refusal, still_held};
use crate::batch::{BatchItem, Flush};
use crate::checks::text;
use crate::columns::columns;
use crate::statements::{Statements, TRIES};
use crate::{Declined, Engine, Error};

/// One report of progress.
#[derive(Debug)]
pub(crate) struct ProgressCall {
    fence: Fence,
    percent: Option<i16>,
    message: Option<String>,
}

pub(crate) type ProgressVerdict = Result<(), LeaseRefusal>;

impl Engine {
    /// Records how far an attempt is; what is absent stays as it was.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; `percent` above 100 and messages of more than 1024
    /// bytes are invalid.
    pub async fn progress(
        &self,
        fence: Fence,
        percent: Option<u8>,
        message: Option<String>,
    ) -> Result<(), Declined<LeaseRefusal>> {
        let words = message.as_deref().unwrap_or_default();
        if percent.is_some_and(|percent| percent > 100) {
            return Err(Invalid::new("percent", "is out of range: 0 to 100").into());
        }
        text("message", words, Limits::REASON_BYTES_MAX)?;
        let call = ProgressCall {
            fence,
            percent: percent.map(i16::from),
            message,
        };
        Ok(self.inner.batchers.progress.call(call).await??)
    }
}

impl BatchItem for ProgressCall {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.fence.execution_id
    }
}

impl Flush<ProgressCall> for Statements {
    type Verdict = ProgressVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<ProgressCall>],
        _retried: bool,
    ) -> Result<Vec<ProgressVerdict>, Error> {
        let mut written = HashSet::new();
        let mut observed = HashMap::new();
        let mut open: Vec<&ProgressCall> = batch.iter().map(Box::as_ref).collect();
        for _ in 0..TRIES {
            written.extend(self.write_progress(partition, &open).await?);
            open.retain(|call| !written.contains(&call.fence.execution_id));
            if open.is_empty() {
                break;
            }
            let misses: Vec<Fence> = open.iter().map(|call| call.fence).collect();
            observed.extend(self.observe(partition, &misses).await?);
            open.retain(|call| still_held(&observed, &call.fence));
            if open.is_empty() {
                break;
            }
        }
        Ok(batch
            .iter()
            .map(|call| match written.contains(&call.fence.execution_id) {
                true => Ok(()),
                false => Err(refusal(&observed, &call.fence)),
            })
            .collect())
    }
}

impl Statements {
    async fn write_progress(
        &self,
        partition: Partition,
        calls: &[&ProgressCall],
    ) -> Result<HashSet<ExecutionId>, Error> {
        let written = columns!(
            query_scalar!(
                "WITH input AS (
                     SELECT i.*, found.address
                     FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::smallint[], $6::text[])
                         AS i(execution_id, lease_id, epoch, percent, message)
                     CROSS JOIN LATERAL (
                         SELECT l.ctid AS address FROM lease l
                         WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
                     ) AS found
                 )
                 UPDATE lease l
                 SET progress_percent = coalesce(i.percent, l.progress_percent),
                     progress_message = coalesce(i.message, l.progress_message)
                 FROM input i
                 WHERE l.ctid = i.address AND l.lease_id = i.lease_id AND l.epoch = i.epoch
                   AND l.expires_at > clock_timestamp()
                 RETURNING l.execution_id",
                partition.column()
            );
            for call in calls => {
                ids = call.fence.execution_id.uuid();
                lease_ids = call.fence.lease_id.0;
                epochs = call.fence.epoch as i64;
                percents as Option<i16> = call.percent;
                messages as Option<&str> = call.message.as_deref();
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(written.into_iter().map(ExecutionId::from_uuid).collect())
    }
}
