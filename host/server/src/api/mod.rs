//! The shapes on the wire.
//!
//! Requests and small answers are read and written as these types. Executions,
//! attempts and the like are written by the engine's own types; here stand their
//! schemas, and a test beside each keeps them alike.

mod component;
mod execution;
mod lane;
mod operate;
mod policy;
mod problem;
mod request;
mod waitpoint_key;

pub use component::{
    Component, Components, DefineKind, DefinedKind, Kind, Kinds, PublishedComponent, Route,
    SetRoute, SetRoutes,
};
pub use execution::{
    Attempt, AttemptLease, Attempts, CurrentLease, Execution, ExecutionPage, ExpiredLease,
    ExpiredLeases, Failure, History, HistoryEntry, Progress, StateVector, Usage,
};
pub use lane::{Health, Lane, Lanes, SetLane};
pub use operate::{
    Asks, BlockExecution, CancelExecution, CompleteOverride, DelayOverride, FailOverride,
    OperateExecution, Operation, Operations, RevokeLease, SetPriority, SetTags, Tags,
    UnblockExecution,
};
pub use policy::Policy;
pub use problem::ProblemBody;
pub use request::{
    BatchResults, BatchVerdict, CancelledExecution, CreateBatch, CreateExecution, CreatedExecution,
};
pub use waitpoint_key::{
    RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, WaitpointKey, WaitpointKeys,
};
