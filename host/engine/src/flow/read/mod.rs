//! Reads of flows, their members and edges.

mod get;
mod members;

pub use get::{FlowFilter, FlowInfo};
pub use members::{EdgeDirection, EdgeInfo, EdgePlace, FlowMember};
