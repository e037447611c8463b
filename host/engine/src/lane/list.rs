//! list: lanes by name, and how much work each holds.

use std::collections::HashMap;

use model::{LaneState, Limits};
use time::OffsetDateTime;

use crate::row::label;
use crate::{Engine, Error, Page};

/// A lane and how much work it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its name, unique in the instance.
    pub name: String,
    /// Whether it takes and serves work.
    pub state: LaneState,
    /// Its share of service against that of other lanes, 1 to 1000.
    pub weight: u16,
    /// Time at which it was made.
    pub created_at: OffsetDateTime,
    /// Number of executions that are ready, counted up to [`Limits::COUNTED_MAX`].
    pub waiting: u64,
    /// Whether no more are ready than that.
    pub waiting_exact: bool,
    /// Number of executions that a worker runs, among the first
    /// [`Limits::LEASES_COUNTED_MAX`] of the instance.
    pub active: u64,
    /// Whether the instance has no more leases than that.
    pub active_exact: bool,
}

impl Engine {
    /// Lists lanes by name, those after a given one, at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`]. What they hold is counted in these namespaces, or in all.
    pub async fn lanes(
        &self,
        namespaces: Option<&[String]>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Lane, String>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let lanes = sqlx::query!(
            r#"SELECT name, state::text AS "state!", weight, created_at FROM lane
               WHERE name > $1 ORDER BY name LIMIT $2"#,
            after.unwrap_or_default(),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let names: Vec<String> = lanes.iter().map(|row| row.name.clone()).collect();
        let loads = sqlx::query_file!(
            "src/lane/waiting.sql",
            &names,
            &self.partition_columns(),
            i64::from(Limits::COUNTED_MAX) + 1,
            namespaces,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let waiting: HashMap<_, _> = loads.into_iter().map(|it| (it.lane, it.rows)).collect();
        let held = sqlx::query!(
            r#"SELECT l.lane, count(*) AS "rows!"
               FROM (SELECT lane FROM lease
                     WHERE $2::text[] IS NULL OR namespace = ANY ($2) LIMIT $1) AS l
               GROUP BY l.lane"#,
            i64::from(Limits::LEASES_COUNTED_MAX) + 1,
            namespaces,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let active: HashMap<_, _> = held.into_iter().map(|it| (it.lane, it.rows)).collect();
        let active_exact = active.values().sum::<i64>() <= Limits::LEASES_COUNTED_MAX.into();
        Page::read(
            limit,
            lanes.into_iter().map(|row| {
                let waiting = waiting.get(&row.name).map_or(0, |rows| rows.unsigned_abs());
                let active = active.get(&row.name).map_or(0, |rows| rows.unsigned_abs());
                let state = label("lane", "state", &row.name, &row.state);
                let lane = state.map(|state| Lane {
                    name: row.name.clone(),
                    state,
                    weight: row.weight.unsigned_abs(),
                    created_at: row.created_at,
                    waiting: waiting.min(Limits::COUNTED_MAX.into()),
                    waiting_exact: waiting <= Limits::COUNTED_MAX.into(),
                    active,
                    active_exact,
                });
                (row.name, lane)
            }),
        )
    }
}
