//! The shapes on the wire.
//!
//! Requests and small answers are read and written as these types. Executions,
//! attempts and the like are written by the engine's own types; here stand their
//! schemas, and a test beside each keeps them alike.

mod component;
mod condition;
mod execution;
mod grant;
mod lane;
mod lease;
mod operate;
mod policy;
mod problem;
mod request;
mod signal;
mod suspension;
mod unreadable;
mod waitpoint;
mod waitpoint_key;
mod worker;

pub use component::{
    Component, Components, DefineKind, DefinedKind, Kind, Kinds, PublishedComponent,
    PublishingComponent, PublishingState, Route, SetRoute, SetRoutes,
};
pub use condition::{CompositeBody, ResumeCondition, ResumePolicy, SignalMatcher};
pub use execution::{
    Attempt, AttemptLease, Attempts, CurrentLease, Execution, ExecutionPage, ExpiredLease,
    ExpiredLeases, Failure, History, HistoryEntry, Progress, StateVector, SuspendedExecution,
    SuspendedExecutions, Usage,
};
pub use grant::{
    ClaimForWorker, EligibleExecution, EligibleExecutions, GrantFor, GrantedClaim, IssuedGrant,
    Redeem,
};
pub use lane::{Health, Lane, Lanes, Namespace, Namespaces, SetLane, SetNamespace};
pub use lease::{
    CancelLease, ClaimWork, ClaimedExecution, ClaimedWork, CompleteLease, DelayLease, FailLease,
    LeaseAnswer, LeaseEffect, LeaseOutcome, LeaseVerdict, LeaseVerdicts, OneOrMany, ProgressLease,
    ReleaseLease, RenewLeases, check_ttl,
};
pub use operate::{
    Asks, BlockExecution, CancelExecution, CompleteOverride, DelayOverride, FailOverride,
    OperateExecution, Operation, Operations, RevokeLease, SetPriority, SetTags, Tags,
    UnblockExecution,
};
pub use policy::Policy;
pub use problem::ProblemBody;
pub(crate) use request::present;
pub use request::{
    BatchResults, BatchVerdict, CancelledExecution, CreateBatch, CreateExecution, CreatedExecution,
    RevokedExecution,
};
pub use signal::{
    CallbackAnswer, Decide, DeliveredSignal, OperatorSignal, ReceivedSignal, SendSignal, Signal,
    Signals,
};
pub use suspension::{
    CreateLeaseWaitpoint, ObserveSignals, ObservedSignals, OpenSuspension, ResumeExecution,
    Resumption, SuspendLease, SuspendedLease, Suspension, Suspensions, WaitpointBinding,
};
pub use unreadable::Unreadable;
pub use waitpoint::{
    MintWaitpointToken, MintedWaitpointToken, OpenWaitpoint, PendingWaitpoints, Waitpoint,
    Waitpoints,
};
pub use waitpoint_key::{
    RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, WaitpointKey, WaitpointKeys,
};
pub use worker::{
    Beat, DeadWorker, MarkWorkerDead, RegisterNativeWorker, RegisteredWorker, Worker, WorkerPage,
};
