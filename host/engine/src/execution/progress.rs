//! progress: active → active, with a word on how far it is.
//!
//! Locks: the lease rows. No event: progress is read, not subscribed to.

use std::collections::{HashMap, HashSet};

use model::{ExecutionId, Fence, Invalid, LeaseRefusal, Limits, Partition};
use uuid::Uuid;

use super::observe::TRIES;
use super::{Statements, text};
use crate::coalesce::{Flush, Rider};
use crate::{Answer, Engine, Error};

/// One report of progress.
#[derive(Debug)]
pub(crate) struct ProgressCall {
    fence: Fence,
    percent: Option<i16>,
    message: Option<String>,
}

pub(crate) type ProgressVerdict = Result<(), LeaseRefusal>;

impl Engine {
    /// Says how far an attempt is; what is absent stays as it was.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; `percent` above 100 and messages of more than 1024
    /// bytes are invalid.
    pub async fn progress(
        &self,
        fence: Fence,
        percent: Option<u8>,
        message: Option<String>,
    ) -> Answer<(), LeaseRefusal> {
        if percent.is_some_and(|percent| percent > 100) {
            return Ok(Err(
                Invalid::new("percent", "is out of range: 0 to 100").into()
            ));
        }
        if let Err(invalid) = text(
            "message",
            message.as_deref().unwrap_or_default(),
            Limits::REASON_BYTES_MAX,
        ) {
            return Ok(Err(invalid.into()));
        }
        let call = ProgressCall {
            fence,
            percent: percent.map(i16::from),
            message,
        };
        self.inner.progress.call(call).await
    }
}

impl Rider for ProgressCall {
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
        let mut looks = HashMap::new();
        let mut open: Vec<&ProgressCall> = batch.iter().map(Box::as_ref).collect();
        for _ in 0..TRIES {
            written.extend(self.write_progress(partition, &open).await?);
            open.retain(|call| !written.contains(&call.fence.execution_id.uuid()));
            if open.is_empty() {
                break;
            }
            let misses: Vec<Fence> = open.iter().map(|call| call.fence).collect();
            looks.extend(self.observe(partition, &misses).await?);
            open.retain(|call| {
                let look = looks.get(&call.fence.execution_id);
                look.is_some_and(|look| look.observed.holds(&call.fence, false))
            });
            if open.is_empty() {
                break;
            }
        }
        Ok(batch
            .iter()
            .map(|call| {
                let id = call.fence.execution_id;
                if written.contains(&id.uuid()) {
                    return Ok(());
                }
                Err(looks
                    .get(&id)
                    .map_or(LeaseRefusal::ExecutionNotFound, |look| {
                        look.observed.refusal(&call.fence)
                    }))
            })
            .collect())
    }
}

impl Statements {
    async fn write_progress(
        &self,
        partition: Partition,
        calls: &[&ProgressCall],
    ) -> Result<HashSet<Uuid>, Error> {
        let ids: Vec<Uuid> = calls.iter().map(|c| c.fence.execution_id.uuid()).collect();
        let leases: Vec<Uuid> = calls.iter().map(|c| c.fence.lease_id.0).collect();
        let epochs: Vec<i64> = calls.iter().map(|c| c.fence.epoch as i64).collect();
        let percents: Vec<Option<i16>> = calls.iter().map(|c| c.percent).collect();
        let messages: Vec<Option<&str>> = calls.iter().map(|c| c.message.as_deref()).collect();
        Ok(sqlx::query_scalar!(
            "WITH wanted AS (
                 SELECT w.*, held.address
                 FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::smallint[], $6::text[])
                     AS w(execution_id, lease_id, epoch, percent, message)
                 CROSS JOIN LATERAL (
                     SELECT l.ctid AS address FROM lease l
                     WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
                 ) AS held
             )
             UPDATE lease l
             SET progress_percent = coalesce(w.percent, l.progress_percent),
                 progress_message = coalesce(w.message, l.progress_message)
             FROM wanted w
             WHERE l.ctid = w.address AND l.lease_id = w.lease_id AND l.epoch = w.epoch
               AND l.expires_at > clock_timestamp()
             RETURNING l.execution_id",
            partition.column(),
            &ids,
            &leases,
            &epochs,
            &percents as &[Option<i16>],
            &messages as &[Option<&str>],
        )
        .fetch_all(&self.verbs)
        .await?
        .into_iter()
        .collect())
    }
}
