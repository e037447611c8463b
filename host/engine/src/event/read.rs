//! read: events of a family after a place, in order and without gaps.

use model::{
    EventFilter, EventKind, EventPlace, EventStart, EventsRefusal, ExecutionId, FlowId, LeaseId,
    Limits, LoggedEvent, check_range,
};
use uuid::Uuid;

use super::request::{EventPage, EventRequest};
use crate::{Declined, Engine, Error};

/// Most rows of the log, each of one batch of events, that one statement looks at.
const ROWS_MAX: i64 = 512;
/// Least rows that one looks at.
const ROWS_MIN: i64 = 16;

/// Events that fit a request as far as they tell themselves, and how far was looked.
pub(super) struct Found {
    pub(super) events: Vec<LoggedEvent>,
    /// Everything up to there was looked at.
    pub(super) place: EventPlace,
    /// Whether there may be more to read now.
    pub(super) more: bool,
}

impl Engine {
    /// Reads events of a family.
    ///
    /// Events are in the order of the transactions that made them true, and those of one
    /// execution in the order they happened. Those of transactions that are not certain
    /// yet are returned by a later read, so that none is ever skipped. A read looks at a
    /// bounded part of the log: it may return no events and still say that there is more.
    ///
    /// # Refusals
    /// [`model::Invalid`]: a limit out of range.
    /// [`EventsRefusal::InvalidCursor`]: not a cursor of this family, instance and
    /// generation.
    /// [`EventsRefusal::CursorTooOld`]: events after the cursor were removed, so a read
    /// from there would skip them.
    pub async fn events(
        &self,
        request: &EventRequest,
        start: &EventStart,
    ) -> Result<EventPage, Declined<EventsRefusal>> {
        check_range("limit", request.limit, 1..=Limits::PAGE_MAX)?;
        let after = match self.starts_after(request.family, start)? {
            Some(after) => after,
            None => return Ok(self.page(request, &[], self.end_of_log().await?, false)),
        };
        self.read_after(request, after).await
    }

    /// Reads events after a place, by a statement of this reader's own.
    pub(super) async fn read_after(
        &self,
        request: &EventRequest,
        after: EventPlace,
    ) -> Result<EventPage, Declined<EventsRefusal>> {
        // Those that are behind share the connections of reads with everybody else.
        let permit = self.inner.recent.behind.acquire().await;
        let _permit = permit.expect("invariant: it is never closed");
        let found = self.look(Some(request), after, true).await?;
        // Read after the events, so that none can be removed in between.
        let floor = self.event_floor().await?;
        if after < floor && after != EventPlace::START {
            return Err(EventsRefusal::CursorTooOld { after, floor }.into());
        }
        let events = self
            .that_fit(request, found.events.iter().collect())
            .await?;
        Ok(self.page(request, &events, found.place, found.more))
    }

    /// Returns the page of these events, which ends at a place.
    pub(super) fn page(
        &self,
        request: &EventRequest,
        events: &[&LoggedEvent],
        place: EventPlace,
        more: bool,
    ) -> EventPage {
        let shown = events
            .iter()
            .filter_map(|event| self.shown(request.family, event));
        EventPage {
            events: shown.collect(),
            cursor: self.event_cursor(request.family, place),
            more,
        }
    }

    /// Returns the place before all that is written from now on; what is written at this
    /// moment comes after it.
    pub(super) async fn end_of_log(&self) -> Result<EventPlace, Error> {
        Ok(EventPlace::before(self.horizon(true).await?))
    }

    /// Looks at the log after a place, for the events of a request or for all.
    pub(super) async fn look(
        &self,
        request: Option<&EventRequest>,
        after: EventPlace,
        prompt: bool,
    ) -> Result<Found, Error> {
        let horizon = self.horizon(prompt).await?;
        // Not those of the family, because a kind of a later version may be one.
        let left_out: Option<Vec<String>> = request.map(|it| {
            let family = it.family.kinds();
            let all = EventKind::ALL.iter();
            let others = all.filter(|kind| !family.contains(kind));
            others.map(ToString::to_string).collect()
        });
        let filter = request.map(|it| it.filter.clone()).unwrap_or_default();
        let limit = request.map_or(Limits::PAGE_MAX, |it| it.limit);
        // A row has an event at least, so that more would be read and not returned.
        let rows_max = match filter == EventFilter::default() {
            true => i64::from(limit).clamp(ROWS_MIN, ROWS_MAX),
            false => ROWS_MAX,
        };
        let rows = sqlx::query_file!(
            "src/event/read.sql",
            after.xid as i64,
            after.seq as i64,
            i64::from(after.position),
            horizon as i64,
            self.last_stripe(),
            rows_max,
            i64::from(limit),
            left_out.as_deref(),
            filter.namespace,
            filter.lane,
            filter.kind,
            filter.execution_id.map(ExecutionId::uuid) as Option<Uuid>,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut events = Vec::new();
        let mut looked = None;
        for row in rows {
            let place = EventPlace {
                xid: row.xid.unsigned_abs(),
                seq: row.seq.unsigned_abs(),
                position: u32::try_from(row.position).unwrap_or(0),
            };
            let Some(kind) = row.kind else {
                looked = Some((place, row.rows));
                continue;
            };
            let detail = row.detail.or(row.signal_id.map(|id| id.to_string()));
            let kind = kind.parse::<EventKind>().map_err(|_| kind);
            // What happens to a flow has its id where others have that of an execution.
            let (flow_id, id) = match &kind {
                Ok(kind) if kind.is_of_flow() => (row.execution_id, None),
                _ => (None, row.execution_id),
            };
            events.push(LoggedEvent {
                place,
                kind,
                execution_id: id.map(ExecutionId::from_uuid),
                flow_id: flow_id.map(FlowId::from_uuid),
                namespace: row.namespace,
                lane: row.lane,
                execution_kind: row.execution_kind,
                epoch: row.epoch.unwrap_or_default().unsigned_abs(),
                attempt: row.attempt.map(i32::unsigned_abs),
                lease_id: row.lease_id.map(LeaseId),
                worker_instance_id: row.worker,
                detail,
                at: row.at,
            });
        }
        let full = events.len() == limit as usize;
        Ok(match (looked, events.last()) {
            (None, _) => Found {
                events,
                place: after.max(EventPlace::before(horizon)),
                more: false,
            },
            (Some(_), Some(last)) if full => Found {
                place: last.place,
                events,
                more: true,
            },
            (Some((end, rows)), _) if rows == rows_max => Found {
                events,
                place: end,
                more: true,
            },
            (Some((end, _)), _) => Found {
                events,
                place: end.max(EventPlace::before(horizon)),
                more: false,
            },
        })
    }

    /// Returns those of the events that fit a request in what their executions tell: labels
    /// and flow, as they are now.
    pub(super) async fn that_fit<'e>(
        &self,
        request: &EventRequest,
        mut events: Vec<&'e LoggedEvent>,
    ) -> Result<Vec<&'e LoggedEvent>, Error> {
        let filter = &request.filter;
        events.retain(|event| filter.admits(event) && event.fact(request.family).is_some());
        if !filter.asks_the_execution() || events.is_empty() {
            return Ok(events);
        }
        let ids = events.iter().filter_map(|event| event.execution_id);
        let ids: Vec<Uuid> = ids.map(ExecutionId::uuid).collect();
        let partitions = events.iter().filter_map(|event| event.execution_id);
        let partitions: Vec<i16> = partitions.map(|id| id.partition().column()).collect();
        let (key, value) = filter.tag.clone().unzip();
        let fitting = sqlx::query_file_scalar!(
            "src/event/fitting.sql",
            &partitions,
            &ids,
            filter.flow_id.map(FlowId::uuid) as Option<Uuid>,
            key,
            value,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let fitting: std::collections::HashSet<Uuid> = fitting.into_iter().collect();
        events.retain(|event| {
            let id = event.execution_id.map(ExecutionId::uuid);
            event.flow_id.is_some() || id.is_some_and(|id| fitting.contains(&id))
        });
        Ok(events)
    }

    /// Returns the number of the last stripe of the log, counted from zero.
    pub(crate) fn last_stripe(&self) -> i32 {
        i32::from((self.instance().partitions.count() - 1) / PARTITIONS_OF_A_STRIPE)
    }

    /// Returns the last place of the log that was removed.
    async fn event_floor(&self) -> Result<EventPlace, Error> {
        let row =
            sqlx::query!(r#"SELECT xid::text::bigint AS "xid!", seq, position FROM event_floor"#)
                .fetch_one(&self.inner.reads)
                .await?;
        Ok(EventPlace {
            xid: row.xid.unsigned_abs(),
            seq: row.seq.unsigned_abs(),
            position: row.position.unsigned_abs(),
        })
    }
}

/// Partitions whose events are in one stripe of the log, as every statement that writes
/// them has it.
const PARTITIONS_OF_A_STRIPE: u16 = 256;
