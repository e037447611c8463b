//! Candidates of a list, as each driver finds them.

use model::{ExecutionId, Limits};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::driver::Driver;
use super::scan::{Found, Scan};
use super::states::StateTables;
use super::{ListFilter, ListPlace};
use crate::row::bigint;
use crate::{Engine, Error};

/// How many rows of `parked` and `finished` are looked at for each candidate that may be,
/// where rows of other states lie between. They are read in their order, so that ten cost
/// no more than one candidate that is looked up.
const ROWS_BETWEEN: usize = 10;
/// Times between which executions finish, as far as they can be shown.
const TIMES: [OffsetDateTime; 2] = [
    datetime!(0000-01-01 00:00 UTC),
    datetime!(9999-12-31 23:59:59.999999 UTC),
];

/// Where to look: ids from the first up to another.
struct Bounds {
    first: Uuid,
    before: Uuid,
    rows: usize,
}

impl Engine {
    /// Finds candidates after a place by a driver: about `rows`, fewer at the end.
    pub(super) async fn candidates(
        &self,
        driver: Driver,
        filter: &ListFilter,
        after: Option<ListPlace>,
        rows: usize,
    ) -> Result<Scan, Error> {
        let (first, end) = filter.ids();
        let before = after.map_or(end, |after| after.id.uuid().min(end));
        let bounds = Bounds {
            first,
            before,
            rows,
        };
        match driver {
            Driver::Newest => self.newest(bounds).await,
            Driver::States => {
                let states = StateTables::of(filter).unwrap_or_default();
                self.by_state(&states, bounds).await
            }
            Driver::Ends => {
                let states = StateTables::of(filter).unwrap_or_default();
                self.by_end(&states.outcomes, filter, after, rows).await
            }
            Driver::Label => {
                let (key, value) = filter
                    .tag
                    .as_ref()
                    .map_or(("", ""), |(key, value)| (key, value));
                self.by_label(key, value, bounds).await
            }
            Driver::Kind => {
                let kind = filter.kind.as_deref().unwrap_or_default();
                self.by_kind(kind, bounds).await
            }
            Driver::Namespace => {
                let namespace = filter.namespace.as_deref().unwrap_or_default();
                self.by_namespace(namespace, bounds).await
            }
        }
    }

    async fn by_label(&self, key: &str, value: &str, bounds: Bounds) -> Result<Scan, Error> {
        let ids = sqlx::query_file_scalar!(
            "src/execution/list/by_label.sql",
            key,
            value,
            bounds.first,
            bounds.before,
            bigint(bounds.rows as u64),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(in_order(ids, bounds.rows))
    }

    async fn by_kind(&self, kind: &str, bounds: Bounds) -> Result<Scan, Error> {
        let ids = sqlx::query_file_scalar!(
            "src/execution/list/by_kind.sql",
            kind,
            bounds.first,
            bounds.before,
            bigint(bounds.rows as u64),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(in_order(ids, bounds.rows))
    }

    async fn by_namespace(&self, namespace: &str, bounds: Bounds) -> Result<Scan, Error> {
        let ids = sqlx::query_file_scalar!(
            "src/execution/list/by_namespace.sql",
            namespace,
            bounds.first,
            bounds.before,
            bigint(bounds.rows as u64),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(in_order(ids, bounds.rows))
    }

    async fn newest(&self, bounds: Bounds) -> Result<Scan, Error> {
        let limit = self.share(bounds.rows);
        let ids = sqlx::query_file_scalar!(
            "src/execution/list/newest.sql",
            &self.partition_columns(),
            bounds.first,
            bounds.before,
            bigint(limit as u64),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let rows = ids.into_iter().map(|id| {
            let place = ListPlace::of_id(ExecutionId::from_uuid(id));
            Found {
                source: place.id.partition(),
                place,
                holds: true,
            }
        });
        Ok(Scan::merge(rows, limit, 0))
    }

    async fn by_state(&self, states: &StateTables, bounds: Bounds) -> Result<Scan, Error> {
        let limit = self.share(bounds.rows);
        let looked_at = self.share(Limits::EXAMINED_MAX * ROWS_BETWEEN);
        let (completed, other) = states.completed_or();
        let rows = sqlx::query_file!(
            "src/execution/list/by_state.sql",
            &self.partition_columns(),
            states.active,
            states.ready,
            &states.parked,
            completed,
            &other,
            bounds.first,
            bounds.before,
            bigint(limit as u64),
            bigint(looked_at as u64),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let rows = rows.into_iter().map(|row| Found {
            source: (row.source, row.partition),
            place: ListPlace::of_id(ExecutionId::from_uuid(row.id)),
            holds: row.holds,
        });
        Ok(Scan::merge(rows, limit, looked_at))
    }

    async fn by_end(
        &self,
        outcomes: &[String],
        filter: &ListFilter,
        after: Option<ListPlace>,
        rows: usize,
    ) -> Result<Scan, Error> {
        let range = filter.finished;
        let [first, last] = TIMES;
        let first = range.from.map_or(first, |from| from.utc());
        let end = (
            range.before.map_or(last, |before| before.utc()),
            Uuid::nil(),
        );
        let after = after.and_then(|after| Some((after.finished_at?, after.id.uuid())));
        let (before_at, before_id) = after.map_or(end, |after| after.min(end));
        let found = sqlx::query_file!(
            "src/execution/list/by_end.sql",
            outcomes,
            first,
            before_at,
            before_id,
            bigint(rows as u64),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let found = found.into_iter().map(|row| Found {
            source: row.outcome,
            place: ListPlace {
                finished_at: Some(row.finished_at),
                id: ExecutionId::from_uuid(row.execution_id),
            },
            holds: true,
        });
        Ok(Scan::merge(found, rows, 0))
    }

    /// Returns how many rows of each partition to read for so many in all: ids fall on
    /// partitions evenly, so that twice its part of them is nearly always enough, and a
    /// further round of reads finds the rest.
    fn share(&self, rows: usize) -> usize {
        let partitions = usize::from(self.instance().partitions.count());
        rows.min(2 * rows / partitions + 8)
    }
}

/// Reads the ids that one index answered in its order.
fn in_order(ids: Vec<Uuid>, limit: usize) -> Scan {
    let rows = ids.into_iter().map(|id| Found {
        source: (),
        place: ListPlace::of_id(ExecutionId::from_uuid(id)),
        holds: true,
    });
    Scan::merge(rows, limit, 0)
}
