//! Lanes: named queues, whether they serve, and how they and the namespaces in them
//! share service.
//!
//! ```text
//! lane, namespace (rows) ──▶ cache: states and weights, at most a second old
//! ready_queue ──probe──▶ scheduler: which namespaces have work, and their shares ──▶ claim
//! ```

mod cache;
mod define;
mod list;
mod namespace;
mod scheduler;

pub(crate) use cache::{LaneCache, ServingLanes};
pub use list::Lane;
pub use namespace::Namespace;
pub(crate) use scheduler::{PROBE_MAX, Probe, ServingLane, Share};
