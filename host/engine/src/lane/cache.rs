//! What this host remembers of lanes and namespaces, for at most [`TTL`], and the
//! scheduler of each partition.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{LaneState, Partition};
use parking_lot::Mutex;

use super::scheduler::{Scheduler, ServingLane, WEIGHT_DEFAULT};
use crate::row::label;
use crate::{Engine, Error};

/// How long an entry is used before it is read again.
const TTL: Duration = Duration::from_secs(1);

/// Lanes and namespaces as this host read them last; schedulers by partition.
#[derive(Default)]
pub(crate) struct LaneCache {
    known: Mutex<Option<(Instant, Arc<Known>)>>,
    schedulers: Mutex<HashMap<Partition, Arc<Mutex<Scheduler>>>>,
}

/// The lanes there are, and the namespaces that were given a weight.
#[derive(Debug, Default)]
struct Known {
    lanes: HashMap<String, (LaneState, u16)>,
    namespaces: HashMap<String, u16>,
}

/// Lanes that serve, with their weights and those of namespaces.
#[derive(Debug)]
pub(crate) struct ServingLanes {
    pub(crate) lanes: Vec<ServingLane>,
    known: Arc<Known>,
}

impl ServingLanes {
    /// Returns the weight of a namespace.
    pub(crate) fn weight_of(&self, namespace: &str) -> u16 {
        let weight = self.known.namespaces.get(namespace).copied();
        weight.unwrap_or(WEIGHT_DEFAULT)
    }
}

impl LaneCache {
    fn recall(&self) -> Option<Arc<Known>> {
        let known = self.known.lock();
        let (at, known) = known.as_ref()?;
        (at.elapsed() < TTL).then(|| known.clone())
    }

    /// Has lanes and namespaces read again at the next use.
    pub(super) fn forget(&self) {
        *self.known.lock() = None;
    }

    /// Returns the scheduler of a partition.
    pub(crate) fn scheduler(&self, partition: Partition) -> Arc<Mutex<Scheduler>> {
        self.schedulers.lock().entry(partition).or_default().clone()
    }
}

impl Engine {
    /// Returns the state of a lane; makes one that is named for the first time.
    pub(crate) async fn lane_state(&self, name: &str) -> Result<LaneState, Error> {
        if let Some(state) = self.known_lane_state(name).await? {
            return Ok(state);
        }
        sqlx::query!(
            "INSERT INTO lane (name) VALUES ($1) ON CONFLICT DO NOTHING",
            name
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.caches.lanes.forget();
        let state = self.known_lane_state(name).await?;
        Ok(state.unwrap_or(LaneState::Active))
    }

    /// Returns the state of a lane as this host remembers it; `None` if there is no such
    /// lane.
    pub(crate) async fn known_lane_state(&self, name: &str) -> Result<Option<LaneState>, Error> {
        let known = self.known_lanes().await?;
        Ok(known.lanes.get(name).map(|(state, _)| *state))
    }

    /// Returns those of the wanted lanes that serve; of all lanes if none is named.
    pub(crate) async fn serving_lanes(&self, wanted: &[String]) -> Result<ServingLanes, Error> {
        let known = self.known_lanes().await?;
        let serves = |(name, (state, _)): &(&String, &(LaneState, u16))| {
            state.serves() && (wanted.is_empty() || wanted.contains(name))
        };
        let serving = known.lanes.iter().filter(serves);
        Ok(ServingLanes {
            lanes: serving
                .map(|(name, (_, weight))| ServingLane {
                    name: name.clone(),
                    weight: *weight,
                })
                .collect(),
            known,
        })
    }

    async fn known_lanes(&self) -> Result<Arc<Known>, Error> {
        let cache = &self.inner.caches.lanes;
        if let Some(known) = cache.recall() {
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
            let Some(state) = row.state else {
                known.namespaces.insert(row.name, weight);
                continue;
            };
            // In a state of a later version this one neither takes nor serves work.
            let state = label("lane", "state", &row.name, &state).unwrap_or_else(|error| {
                tracing::error!(%error, "a lane is treated as disabled");
                LaneState::Disabled
            });
            known.lanes.insert(row.name, (state, weight));
        }
        let known = Arc::new(known);
        *cache.known.lock() = Some((Instant::now(), known.clone()));
        Ok(known)
    }
}
