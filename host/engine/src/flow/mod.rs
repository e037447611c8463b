//! Flows: graphs of executions.
//!
//! All that is decided about a flow is decided on one version of its row, and written under
//! the lock of the row if it is still at that version.

mod cancel;
mod change;
mod children;
mod old_hosts;
mod read;
mod replay;
mod request;
mod resolve;
mod retention;
mod tag;
mod turns;

pub use cancel::{CancelFlow, CancelledFlow};
pub use children::{Child, FlowInput, StartChildren, WaitFor};
pub use read::{EdgeDirection, EdgeInfo, EdgePlace, FlowFilter, FlowInfo, FlowMember};
pub use request::{
    CreateFlow, FlowChanged, Graph, GrowFlow, MemberMade, MemberRef, NewEdge, NewGroup, NewMember,
};

pub(crate) use change::{ChangeVerdict, FlowChange};
pub(crate) use old_hosts::OldHosts;
pub(crate) use replay::MemberReplay;
pub(crate) use turns::FlowTurns;
