//! Lanes: named queues, whether they serve, and how they share service.

mod namespace;
mod turns;

pub use namespace::Namespace;
pub(crate) use turns::{LOOK_MAX, Look, Share};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::{Invalid, LaneState, Limits, Partition};
use time::OffsetDateTime;

use crate::row::label;
use crate::{Answer, Engine, Error, Listed};
use turns::{Server, Turns};

/// A lane and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Whether it takes and serves work.
    pub state: LaneState,
    /// Its share of service against that of other lanes, 1 to 1000.
    pub weight: u16,
    /// Since when it exists.
    pub created_at: OffsetDateTime,
    /// Executions that are ready.
    pub waiting: i64,
    /// Executions that run.
    pub active: i64,
}

/// Highest weight of a lane or a namespace; 1 is the lowest, 100 the default.
pub(crate) const WEIGHT_MAX: u16 = 1000;

/// What this host remembers of lanes and namespaces, for at most [`REMEMBERED`],
/// and whose turn it is on each partition.
#[derive(Default)]
pub(crate) struct Lanes {
    memory: Mutex<Option<(Instant, Arc<Known>)>>,
    turns: Mutex<HashMap<Partition, Arc<Mutex<Turns>>>>,
}

const REMEMBERED: Duration = Duration::from_secs(1);

/// The lanes there are, and the namespaces that have a weight of their own.
#[derive(Debug, Default)]
struct Known {
    lanes: HashMap<String, (LaneState, u16)>,
    namespaces: HashMap<String, u16>,
}

/// Lanes that serve, and how they and their namespaces are weighed.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) servers: Vec<Server>,
    known: Arc<Known>,
}

impl Service {
    /// Returns the weight of a namespace.
    pub(crate) fn weight_of(&self, namespace: &str) -> u16 {
        let weight = self.known.namespaces.get(namespace).copied();
        weight.unwrap_or(turns::WEIGHT_DEFAULT)
    }
}

impl Engine {
    /// Lists lanes by name, those after a given one, at most `limit`, which is at
    /// most [`Limits::PAGE_MAX`].
    pub async fn lanes(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Listed<Lane, String>, Error> {
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
        Listed::read(
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

    /// Sets whether a lane takes and serves work, and its share of service, 1 to
    /// 1000; what is not given stays as it is. Makes the lane if there is none,
    /// active and of weight 100 unless told otherwise. Every host knows within a
    /// second.
    pub async fn set_lane(
        &self,
        name: &str,
        state: Option<LaneState>,
        weight: Option<u16>,
    ) -> Answer<(), Invalid> {
        if let Err(invalid) = model::lane_name(name).and_then(|()| in_range(weight)) {
            return Ok(Err(invalid));
        }
        sqlx::query!(
            "INSERT INTO lane (name, state, weight)
             VALUES ($1, coalesce($2::text::lane_state, 'active'), coalesce($3::smallint, 100))
             ON CONFLICT (name) DO UPDATE
             SET state = coalesce($2::text::lane_state, lane.state),
                 weight = coalesce($3::smallint, lane.weight)",
            name,
            state.map(LaneState::as_str),
            weight.map(|weight| weight as i16)
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.lanes.forget();
        self.inner.wake.ready();
        Ok(Ok(()))
    }

    /// Returns the state of a lane; a lane nobody named before is made.
    pub(crate) async fn lane_state(&self, name: &str) -> Result<LaneState, Error> {
        if let Some((state, _)) = self.known_lanes().await?.lanes.get(name) {
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
        let state = known.lanes.get(name).map(|(state, _)| *state);
        Ok(state.unwrap_or(LaneState::Active))
    }

    /// Returns those of the lanes that serve; of all lanes if none is named.
    pub(crate) async fn lanes_that_serve(&self, wanted: &[String]) -> Result<Service, Error> {
        let known = self.known_lanes().await?;
        let serves = |(name, (state, _)): &(&String, &(LaneState, u16))| {
            state.serves() && (wanted.is_empty() || wanted.contains(name))
        };
        let servers = known.lanes.iter().filter(serves);
        Ok(Service {
            servers: servers
                .map(|(name, (_, weight))| Server {
                    lane: name.clone(),
                    weight: *weight,
                })
                .collect(),
            known,
        })
    }

    async fn known_lanes(&self) -> Result<Arc<Known>, Error> {
        if let Some(known) = self.inner.lanes.recall() {
            return Ok(known);
        }
        let rows = sqlx::query!(
            r#"SELECT name AS "name!", state::text, weight AS "weight!" FROM lane
               UNION ALL
               SELECT name, NULL, weight FROM namespace"#
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut known = Known::default();
        for row in rows {
            let weight = row.weight.unsigned_abs();
            match row.state {
                Some(state) => {
                    // A state of a later version is one in which this one had
                    // better neither take work nor serve it.
                    let state = label("lane", "state", &row.name, &state).unwrap_or_else(|error| {
                        tracing::error!(%error, "a lane is taken for disabled");
                        LaneState::Disabled
                    });
                    known.lanes.insert(row.name, (state, weight));
                }
                None => {
                    known.namespaces.insert(row.name, weight);
                }
            }
        }
        let known = Arc::new(known);
        self.inner.lanes.remember(Arc::clone(&known));
        Ok(known)
    }
}

/// Checks a weight.
fn in_range(weight: Option<u16>) -> Result<(), Invalid> {
    match weight {
        Some(weight) if !(1..=WEIGHT_MAX).contains(&weight) => Err(Invalid::new(
            "weight",
            format!("{weight} is out of range: 1 to {WEIGHT_MAX}"),
        )),
        _ => Ok(()),
    }
}

impl Lanes {
    fn recall(&self) -> Option<Arc<Known>> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, known) = memory.as_ref()?;
        (at.elapsed() < REMEMBERED).then(|| Arc::clone(known))
    }

    fn remember(&self, known: Arc<Known>) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        *memory = Some((Instant::now(), known));
    }

    fn forget(&self) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns whose turn it is on a partition.
    pub(crate) fn turns(&self, partition: Partition) -> Arc<Mutex<Turns>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(partition).or_default())
    }
}
