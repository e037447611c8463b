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

    /// A page of the namespaces that have a weight of their own; every other one has 100.
    Namespaces of engine::Namespace {
        /// The namespaces of the page, by name.
        namespaces: Vec<Namespace>,
    }
}

answers! {
    /// A lane, which is a queue of executions.
    Lane(lane: engine::Lane) {
        /// Name of the lane.
        name: String,
        /// `active`, `paused`, `draining` or `disabled`.
        state: LaneState as String,
        /// Its share of service against that of other lanes.
        #[schema(minimum = 1, maximum = 1000)]
        weight: u16,
        /// Time it was defined.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Number of executions that are ready, at most 10000.
        waiting: u64,
        /// Whether there are no more than that; otherwise at least so many are ready.
        waiting_exact: bool,
        /// Number of executions that run.
        active: u64,
        /// Whether they were all counted; false when the instance has more than 100000
        /// leases, and then at least so many run.
        active_exact: bool,
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
