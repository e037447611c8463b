//! Flows: graphs of executions, what their edges wait for, and when a group of edges is
//! decided.

mod edge;
mod graph;
mod group;
mod policy;
mod refusal;
mod state;

pub use edge::{EdgeEffect, EdgeId, EdgeKind, EdgeState};
pub use graph::find_cycle;
pub use group::{EdgeGroup, GroupDecision};
pub use policy::{EdgeDependencyPolicy, OnSatisfied};
pub use refusal::{FlowCancelRefusal, FlowRefusal};
pub use state::{
    EdgeGroupState, FlowCancellationPolicy, FlowCounters, FlowEligibility, FlowStatus,
    PublicFlowState, member_name,
};
