//! Lanes: named queues, and whether they serve.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::Invalid;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Answer, Engine, Error};

/// Whether a lane takes and serves work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// Takes work and serves it.
    Active,
    /// Takes work and does not serve it.
    Paused,
    /// Takes no new work and serves what it has.
    Draining,
    /// Takes no new work and serves none.
    Disabled,
}

impl LaneState {
    /// Returns the name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }

    pub(crate) const fn serves(self) -> bool {
        matches!(self, Self::Active | Self::Draining)
    }

    pub(crate) const fn takes_work(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }

    fn read(name: &str, text: &str) -> Result<Self, Error> {
        [Self::Active, Self::Paused, Self::Draining, Self::Disabled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::corrupt("lane", "state", name, text))
    }
}

/// A lane and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Whether it takes and serves work.
    pub state: LaneState,
    /// Since when it exists.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Executions that are ready.
    pub waiting: i64,
    /// Executions that run.
    pub active: i64,
}

/// What this host remembers of the lanes, for at most [`REMEMBERED`].
#[derive(Default)]
pub(crate) struct Lanes(Mutex<Option<(Instant, HashMap<String, LaneState>)>>);

const REMEMBERED: Duration = Duration::from_secs(1);

impl Engine {
    /// Lists the lanes by name.
    pub async fn lanes(&self) -> Result<Vec<Lane>, Error> {
        let rows = sqlx::query!(
            r#"SELECT name, state::text AS "state!", created_at,
                      (SELECT count(*) FROM ready r WHERE r.lane = lane.name) AS "waiting!",
                      (SELECT count(*) FROM lease l WHERE l.lane = lane.name) AS "active!"
               FROM lane ORDER BY name"#
        )
        .fetch_all(&self.inner.reads)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Lane {
                    state: LaneState::read(&row.name, &row.state)?,
                    name: row.name,
                    created_at: row.created_at,
                    waiting: row.waiting,
                    active: row.active,
                })
            })
            .collect()
    }

    /// Sets whether a lane takes and serves work, making the lane if there is
    /// none. Every host knows within a second.
    pub async fn set_lane(&self, name: &str, state: LaneState) -> Answer<(), Invalid> {
        if let Err(invalid) = model::lane_name(name) {
            return Ok(Err(invalid));
        }
        sqlx::query!(
            "INSERT INTO lane (name, state) VALUES ($1, $2::text::lane_state)
             ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            name,
            state.as_str()
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.lanes.forget();
        self.inner.wake.ready();
        Ok(Ok(()))
    }

    /// Returns the state of a lane; a lane nobody named before is made.
    pub(crate) async fn lane_state(&self, name: &str) -> Result<LaneState, Error> {
        if let Some(state) = self.known_lanes().await?.get(name) {
            return Ok(*state);
        }
        sqlx::query!(
            "INSERT INTO lane (name) VALUES ($1) ON CONFLICT DO NOTHING",
            name
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.lanes.forget();
        let known = self.known_lanes().await?;
        Ok(known.get(name).copied().unwrap_or(LaneState::Active))
    }

    /// Returns those of the lanes that serve; of all lanes if none is named.
    pub(crate) async fn lanes_that_serve(&self, wanted: &[String]) -> Result<Vec<String>, Error> {
        let known = self.known_lanes().await?;
        let mut lanes: Vec<String> = known
            .into_iter()
            .filter(|(name, state)| state.serves() && (wanted.is_empty() || wanted.contains(name)))
            .map(|(name, _)| name)
            .collect();
        lanes.sort();
        Ok(lanes)
    }

    async fn known_lanes(&self) -> Result<HashMap<String, LaneState>, Error> {
        if let Some(known) = self.inner.lanes.recall() {
            return Ok(known);
        }
        let rows = sqlx::query!(r#"SELECT name, state::text AS "state!" FROM lane"#)
            .fetch_all(&self.inner.reads)
            .await?;
        let known = rows
            .into_iter()
            .map(|row| {
                let state = LaneState::read(&row.name, &row.state)?;
                Ok((row.name, state))
            })
            .collect::<Result<HashMap<_, _>, Error>>()?;
        self.inner.lanes.remember(known.clone());
        Ok(known)
    }
}

impl Lanes {
    fn recall(&self) -> Option<HashMap<String, LaneState>> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, known) = memory.as_ref()?;
        (at.elapsed() < REMEMBERED).then(|| known.clone())
    }

    fn remember(&self, known: HashMap<String, LaneState>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), known));
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
