//! Flows: requests that make and change them, and how they are shown.

mod children;
mod create;
mod edge;
mod member;
mod operate;
mod state;

pub use children::{
    Child, FlowInput, GivenResults, ListResults, ReadResult, StartChildren, WaitChildrenOverride,
    wait_for,
};
pub use create::{
    ChangedFlow, ChangedFlowMember, CreateFlow, CreateFlowMember, FlowEdge, FlowGroup, GrowFlow,
};
pub use edge::{Edge, Edges};
pub use member::{EdgeGroup, EdgeGroupPolicy, FlowMember, FlowMembers};
pub use operate::{CancelFlow, CancelledFlow, FlowCancelStatus, FlowOf, SetFlowTags};
pub use state::{Flow, FlowCounters, FlowSummaries, FlowSummary};
