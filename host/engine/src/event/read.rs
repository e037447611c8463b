//! read: events after a cursor, in order and without gaps.

use model::{Cursor, Event, EventKind, EventsRefusal, ExecutionId, LeaseId, Limits, SignalId};

use crate::row::label;
use crate::{Declined, Engine, Error, Page};

impl Engine {
    /// Reads up to `limit` events after a cursor; without one, from the oldest that is
    /// kept.
    ///
    /// Events are in the order of the transactions that made them true, and those of one
    /// execution in the order they happened. Events of transactions younger than the
    /// oldest one still running are returned by a later read, so that none is ever
    /// skipped. A cursor of another generation of the instance reads from the oldest
    /// event. An event that cannot be shown, of a kind of a later version, is listed by
    /// its place; the next read begins after the last event of either sort.
    ///
    /// # Refusals
    /// [`EventsRefusal::CursorTooOld`]: events after the cursor were removed, so a read
    /// from there would skip them.
    pub async fn events(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Event, Cursor>, Declined<EventsRefusal>> {
        let generation = self.instance().generation;
        let known = after.filter(|cursor| cursor.generation == generation);
        let after = known.unwrap_or(Cursor::start(generation));
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
        // Read after the events, so that none can be removed in between.
        if let Some(after) = known {
            let floor = self.event_floor().await?;
            if after < floor {
                return Err(EventsRefusal::CursorTooOld { after, floor }.into());
            }
        }
        let read = rows.into_iter().map(|row| {
            let cursor = Cursor {
                generation,
                xid: row.xid.unsigned_abs(),
                seq: row.seq.unsigned_abs(),
                position: u32::try_from(row.position).unwrap_or(0),
            };
            let id = format!("{}.{}.{}", row.xid, row.seq, row.position);
            let kind = label::<EventKind>("event", "kinds", id, &row.kind);
            let event = kind.map(|kind| Event {
                cursor,
                kind,
                execution_id: ExecutionId::from_uuid(row.execution_id),
                namespace: row.namespace,
                epoch: row.epoch.unsigned_abs(),
                attempt: row.attempt.map(i32::unsigned_abs),
                lease_id: row.lease_id.map(LeaseId),
                worker_instance_id: row.worker,
                signal_id: row.signal_id.map(SignalId),
                at: row.at,
            });
            (cursor, event)
        });
        Ok(Page::cut(true, read)?)
    }

    /// Returns the last place of the log that was removed.
    async fn event_floor(&self) -> Result<Cursor, Error> {
        let row =
            sqlx::query!(r#"SELECT xid::text::bigint AS "xid!", seq, position FROM event_floor"#)
                .fetch_one(&self.inner.reads)
                .await?;
        Ok(Cursor {
            generation: self.instance().generation,
            xid: row.xid.unsigned_abs(),
            seq: row.seq.unsigned_abs(),
            position: row.position.unsigned_abs(),
        })
    }
}
