//! The shapes on the wire: every request and answer of the HTTP API.
//!
//! Answers are made from what the engine returns by `From`, or by a `new` that takes
//! what the engine does not know. Policies and conditions are stored as they were
//! requested, so `model` reads and writes them; here stand their schemas.

mod access;
mod answer;
mod bounds;
mod component;
mod condition;
mod event;
mod execution;
mod flow;
mod lane;
mod lease;
mod login;
mod operator;
mod payload;
mod problem;
mod signal;
mod stream;
mod suspension;
mod waitpoint;
mod waitpoint_key;
mod webhook;
mod worker;

pub use access::{
    ApiKey, ApiKeys, AuditEntries, AuditEntry, CreateApiKey, CreatedApiKey, RefusedRequestSums,
    RefusedRequests, RevokeApiKey, RotateApiKey,
};
pub use answer::{ClosedAnswers, Listing, Unreadable};
pub use bounds::{Bound, EPOCH_MAX, LABELS, MEMBER_NAME, TIMEOUT_MS_MAX, bound, items};
pub use component::{
    Component, Components, DefineKind, DefinedKind, Kind, Kinds, PublishedComponent,
    PublishingComponent, PublishingState, Route, SetRoute, SetRoutes,
};
pub use condition::{CompositeBody, ResumeCondition, ResumePolicy, SignalMatcher, SingleBody};
pub use event::{Event, EventPage};
pub(crate) use execution::unique_keys;
pub use execution::{
    Attempt, AttemptLease, Attempts, BatchResults, BatchVerdict, BlockExecution, CancelExecution,
    CancelledExecution, CompleteOverride, CreateBatch, CreateExecution, CreatedExecution,
    CurrentAttempt, CurrentLease, DelayOverride, Execution, ExecutionPage, ExpireExecution,
    ExpiredLease, ExpiredLeases, FailOverride, Failure, History, HistoryEntry, ListOrder,
    OperateExecution, Operation, Operations, Policy, Progress, RevokeLease, RevokedExecution,
    SetPriority, SetTags, StateVector, SuspendedExecution, SuspendedExecutions, Tags, TagsSet,
    UnblockExecution, Usage,
};
pub use flow::{
    CancelFlow, CancelledFlow, ChangedFlow, ChangedFlowMember, Child, CreateFlow, CreateFlowMember,
    Edge, EdgeGroup, EdgeGroupPolicy, Edges, Flow, FlowCancelStatus, FlowCounters, FlowEdge,
    FlowGroup, FlowInput, FlowMember, FlowMembers, FlowOf, FlowSummaries, FlowSummary,
    GivenResults, GrowFlow, ListResults, ReadResult, SetFlowTags, StartChildren,
    WaitChildrenOverride, wait_for,
};
pub use lane::{Health, Lane, Lanes, Namespace, Namespaces, SetLane, SetNamespace};
pub use lease::{
    CancelLease, CancelLeases, CancelOneOrMany, ClaimForWorker, ClaimWork, ClaimedExecution,
    ClaimedWork, CloseLeaseWaitpoint, CloseLeaseWaitpoints, CloseWaitpointOneOrMany, CompleteLease,
    CompleteLeases, CompleteOneOrMany, DelayLease, DelayLeases, DelayOneOrMany, EligibleExecution,
    EligibleExecutions, FailLease, FailLeases, FailOneOrMany, GrantFor, GrantedClaim, IssuedGrant,
    LeaseAnswer, LeaseEffect, LeaseOutcome, LeaseVerdict, LeaseVerdicts, ProgressLease,
    ProgressLeases, ProgressOneOrMany, Redeem, ReleaseLease, ReleaseLeases, ReleaseOneOrMany,
    Renew, RenewLease, RenewLeases, RenewOneOrMany, WAIT_MS_MAX, WaitChildrenLease,
    WaitChildrenLeases, WaitChildrenOneOrMany, check_ttl,
};
pub use login::Login;
pub use operator::Asks;
pub use payload::RawBytes;
pub(crate) use payload::present;
pub use problem::ProblemBody;
pub use signal::{
    CallbackAnswer, Decide, DeliveredSignal, OperatorSignal, ReceivedSignal, SendSignal, Signal,
    Signals,
};
pub use stream::{
    AppendFrame, AppendFrames, AppendOneOrMany, AttemptLog, LogText, StreamEnd, StreamFrame,
    StreamFrames, StreamSummary,
};
pub use suspension::{
    BoundWaitpoint, CreateLeaseWaitpoint, FreshWaitpoint, KeyedWaitpoint, ObserveSignals,
    ObservedSignals, OpenSuspension, PendingWaitpoint, ResumeExecution, Resumption, SuspendLease,
    SuspendedLease, Suspension, Suspensions, WaitpointBinding,
};
pub use waitpoint::{
    MintWaitpointToken, MintedWaitpointToken, OpenWaitpoint, PendingWaitpoints, Waitpoint,
    Waitpoints,
};
pub use waitpoint_key::{
    RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, SeedWaitpointKey,
    SeededWaitpointKey, WaitpointKey, WaitpointKeys,
};
pub use webhook::{
    CreateWebhook, CreatedWebhook, MessageBody, MissedBody, PauseWebhook, PingBody, ResumeWebhook,
    RotateWebhookSecret, TestedWebhook, UpdateWebhook, Webhook, WebhookFilter, Webhooks,
};
pub use worker::{
    Beat, DeadWorker, MarkWorkerDead, RegisterNativeWorker, RegisteredWorker, Worker, WorkerPage,
};
