//! Lanes, namespaces and health.

use engine::LaneState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The lanes there are.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Lanes {
    /// The lanes.
    pub lanes: Vec<Lane>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// A queue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// `active`, `paused`, `draining` or `disabled`.
    pub state: String,
    /// Its share of service against that of other lanes.
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u16,
    /// Since when it exists.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Executions that are ready.
    pub waiting: i64,
    /// Executions that run.
    pub active: i64,
}

/// The state a lane shall have, and its share of service; what is absent stays as
/// it is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLane {
    /// `active` takes work and serves it, as a new lane does; `paused` takes it and
    /// does not serve it; `draining` takes none and serves what it has; `disabled`
    /// does neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<LaneState>,
    /// Its share of service against that of other lanes that have work, 1 to 1000;
    /// 100 for a new lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: Option<u16>,
}

/// The namespaces that were given a weight; every other one has 100.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Namespaces {
    /// The namespaces.
    pub namespaces: Vec<Namespace>,
}

/// A namespace that was given a weight.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its share of a lane against that of other namespaces.
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u16,
}

/// The weight a namespace shall have.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNamespace {
    /// Its share of a lane against that of other namespaces that have work there,
    /// 1 to 1000; 100 unless set.
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u16,
}

/// How a host is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Version of the host.
    pub version: String,
    /// Name of the host in leases.
    pub worker_instance_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_fits_its_schema() {
        let lane = engine::Lane {
            name: "default".into(),
            state: LaneState::Active,
            weight: 100,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            waiting: 1,
            active: 0,
        };
        let text = serde_json::to_string(&lane).expect("writes");
        serde_json::from_str::<Lane>(&text).expect("fits");
    }

    #[test]
    fn a_namespace_fits_its_schema() {
        let namespace = engine::Namespace {
            name: "default".into(),
            weight: 100,
        };
        let text = serde_json::to_string(&namespace).expect("writes");
        serde_json::from_str::<Namespace>(&text).expect("fits");
    }
}
