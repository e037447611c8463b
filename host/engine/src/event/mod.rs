//! Reading the event log, in order and without gaps.

use model::{Cursor, Event, EventKind, ExecutionId, LeaseId, Limits};

use crate::{Engine, Error};

impl Engine {
    /// Reads up to `limit` events after a cursor; without one, from the oldest
    /// that is kept.
    ///
    /// Events are in the order of the transactions that made them true, and
    /// those of one execution in the order they happened. Events of transactions
    /// younger than the oldest one still running come later, so that none is
    /// ever skipped. A cursor of another generation of the instance reads from
    /// the oldest event.
    pub async fn events(&self, after: Option<Cursor>, limit: u32) -> Result<Vec<Event>, Error> {
        let generation = self.instance().generation;
        let after = after
            .filter(|cursor| cursor.generation == generation)
            .unwrap_or(Cursor::start(generation));
        let limit = limit.clamp(1, Limits::PAGE_MAX);
        let rows = sqlx::query_file!(
            "src/event/read.sql",
            after.xid as i64,
            after.seq as i64,
            i64::from(after.position),
            limit as i32,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        rows.into_iter()
            .map(|row| {
                let id = format!("{}.{}", row.xid, row.seq);
                let kind: EventKind = row
                    .kind
                    .parse()
                    .map_err(|error| Error::corrupt("event", "kinds", &id, error))?;
                Ok(Event {
                    cursor: Cursor {
                        generation,
                        xid: row.xid.unsigned_abs(),
                        seq: row.seq.unsigned_abs(),
                        position: u32::try_from(row.position).unwrap_or(0),
                    },
                    kind,
                    execution_id: ExecutionId::from_uuid(row.execution_id),
                    namespace: row.namespace,
                    epoch: row.epoch.unsigned_abs(),
                    attempt: row.attempt.map(i32::unsigned_abs),
                    lease_id: row.lease_id.map(LeaseId),
                    worker_instance_id: row.worker,
                    at: row.at,
                })
            })
            .collect()
    }
}
