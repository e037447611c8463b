//! Lanes and health.

use engine::LaneState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The lanes there are.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Lanes {
    /// The lanes.
    pub lanes: Vec<Lane>,
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

/// The state a lane shall have, and its share of service.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLane {
    /// `active` takes work and serves it; `paused` takes it and does not serve
    /// it; `draining` takes none and serves what it has; `disabled` does neither.
    #[schema(value_type = String)]
    pub state: LaneState,
    /// Its share of service against that of other lanes that have work, 1 to 1000;
    /// absent, it stays as it is, which for a new lane is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: Option<u16>,
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
}
