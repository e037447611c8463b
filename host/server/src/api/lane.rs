//! Lanes, namespaces and the health of a host.

use model::LaneState;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};

pages! {
    /// A page of lanes, by name.
    Lanes of engine::Lane {
        /// The lanes of the page.
        lanes: Vec<Lane>,
    }
}

answers! {
    /// A lane, which is a queue of executions.
    Lane(lane: engine::Lane) {
        /// Name of the lane.
        name: String,
        /// `active`, `paused`, `draining` or `disabled`.
        #[schema(value_type = String)]
        state: LaneState,
        /// Its share of service against that of other lanes.
        #[schema(minimum = 1, maximum = 1000)]
        weight: u16,
        /// Time it was defined.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Number of executions that are ready.
        waiting: i64,
        /// Number of executions that run.
        active: i64,
    }
}

/// What to set of a lane; what is absent stays as it is.
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

/// The namespaces that have a weight of their own; every other one has 100.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Namespaces {
    /// The namespaces, by name.
    pub namespaces: Vec<Namespace>,
}

impl From<Vec<engine::Namespace>> for Namespaces {
    fn from(namespaces: Vec<engine::Namespace>) -> Self {
        Self {
            namespaces: namespaces.into_iter().map(Into::into).collect(),
        }
    }
}

answers! {
    /// A namespace that has a weight of its own.
    Namespace(namespace: engine::Namespace) {
        /// Name of the namespace.
        name: String,
        /// Its share of a lane against that of other namespaces.
        #[schema(minimum = 1, maximum = 1000)]
        weight: u16,
    }
}

/// The weight to give a namespace.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNamespace {
    /// Its share of a lane against that of other namespaces that have work there,
    /// 1 to 1000; 100 unless set.
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u16,
}

/// That a host is up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`; a host that is not answers with a problem.
    pub status: String,
    /// Version of the host.
    pub version: String,
    /// Name of the host as a worker, as it stands in leases.
    pub worker_instance_id: String,
}
