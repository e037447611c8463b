//! list: lanes by name, and how much work each holds.

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
    /// Number of executions that are ready.
    pub waiting: i64,
    /// Number of executions that a worker runs.
    pub active: i64,
}

impl Engine {
    /// Lists lanes by name, those after a given one, at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`].
    pub async fn lanes(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Lane, String>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = sqlx::query!(
            r#"SELECT name, state::text AS "state!", weight, created_at,
                      (SELECT count(*) FROM ready r WHERE r.lane = lane.name) AS "waiting!",
                      (SELECT count(*) FROM lease l WHERE l.lane = lane.name) AS "active!"
               FROM lane WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2"#,
            after,
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::read(
            limit,
            rows.into_iter().map(|row| {
                let state = label("lane", "state", &row.name, &row.state);
                let lane = state.map(|state| Lane {
                    name: row.name.clone(),
                    state,
                    weight: row.weight.unsigned_abs(),
                    created_at: row.created_at,
                    waiting: row.waiting,
                    active: row.active,
                });
                (row.name, lane)
            }),
        )
    }
}
