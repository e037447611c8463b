//! Every durable change, one verb per file with its SQL beside it.
//!
//! [`Engine`] is a handle on one Postgres. A verb is one statement: the guard is in
//! its `WHERE`, what it did is in its answer, and when it changed no row the verb reads
//! the row again and lets `model` name the refusal. Calls in flight at the same time
//! are batched into one statement over arrays (see [`batch`]).
//!
//! State is the table that holds an execution's row: exactly one of `ready`,
//! `lease`, `parked` and `finished`. Time is the database's. An event is written
//! by the statement that makes it true.
//!
//! Lock order: flow, execution, pending waitpoints, lease, stream, ready, parked, timer,
//! suspension and its waitpoints, signal, limits, event; within a statement rows are
//! locked in the order of their ids.

mod audit;
mod batch;
pub mod bench;
mod checks;
mod columns;
mod component;
mod connect;
mod credential;
mod crypto;
mod database;
mod declined;
mod dispatch;
mod engine;
mod error;
mod event;
mod execution;
mod flow;
mod grant;
mod health;
mod lane;
mod lease;
mod metrics;
mod operate;
mod operator;
mod random;
mod reconcile;
mod rehearsal;
mod row;
mod signal;
mod statements;
mod stream;
mod suspension;
mod tasks;
mod waitpoint;
mod wake;
mod webhook;
mod worker;

pub use audit::{
    AuditEntry, AuditFilter, AuditId, AuditPlace, Audited, RefusalsPlace, RefusedRequests,
};
pub use checks::Payload;
pub use component::{
    ComponentRow, Kind, NewComponent, Route, RouteRefusal, WORLD_HANDLER, WORLD_SERVICE,
};
pub use connect::Settings;
pub use credential::{
    ApiKey, ApiKeyFilter, ApiKeyText, ApiKeyTextInfo, CreateApiKey, CreatedApiKey, KeyHash,
};
pub use crypto::{CursorSeal, HandleSigner, HeldLease, SecretsFault, SecretsKeyError, SecretsKeys};
pub use database::{Instance, MIGRATOR, PLANNER};
pub use declined::Declined;
pub use dispatch::{Begin, DirectDispatch};
pub use engine::Engine;
pub use error::Error;
pub use event::{EventPage, EventRequest};
pub use execution::{
    Attempt, AttemptLease, Cancel, Cancelled, Count, Counts, Create, Created, ExecutionContext,
    ExecutionInfo, HistoryEntry, HistoryPlace, ListFilter, ListOrder, ListPage, ListPlace, Listed,
    Progress, TimeRange,
};
pub use flow::{
    CancelFlow, CancelledFlow, Child, CreateFlow, EdgeDirection, EdgeInfo, EdgePlace, FlowChanged,
    FlowFilter, FlowInfo, FlowInput, FlowMember, Graph, GrowFlow, MemberMade, MemberRef, NewEdge,
    NewGroup, NewMember, StartChildren, WaitFor,
};
pub use grant::{Eligible, EligiblePlace, Grant, GrantNext, IssueGrant, capability_hash};
pub use health::Trouble;
pub use lane::{Lane, Namespace};
pub use lease::{
    CancelHeld, Claim, Claimed, Complete, Delay, Due, ExpiredLease, Fail, Failed, LeaseSummary,
    ReceivedSignal, Report, Resumption,
};
pub use model::{LaneState, WaitpointRef};
pub use operate::{Operate, Operator};
pub use operator::{Block, OperationEntry, Replayed, Revoke, Revoked};
pub use reconcile::{Reconcilers, SweepFigures, Sweeps};
pub use row::{Page, Unreadable};
pub use signal::{Addressee, Delivered, SendSignal, SignalInfo};
pub use stream::{Appended, LogPage, ReadLog, ReadStream, StreamPage, StreamSummary, TailStream};
pub use suspension::{
    Binding, Satisfied, Suspend, Suspended, SuspendedExecution, Suspension, SuspensionInfo,
    SuspensionTimeout, SuspensionWaitpoint,
};
pub use tasks::{Tasks, pauses};
pub use waitpoint::{
    CreateWaitpoint, MintWaitpointToken, MintedWaitpointToken, OpenWaitpoint, RotateWaitpointKey,
    RotatedWaitpointKey, SeededWaitpointKey, VerifiedWaitpointToken, WaitpointInfo, WaitpointKey,
    WaitpointKeyPlace, WaitpointToken, WaitpointTokenExpiry, WaitpointTokenKey,
};
pub use wake::WakeUps;
pub use webhook::{
    CreateWebhook, CreatedWebhook, FailedDelivery, TestWebhook, UpdateWebhook, Webhook,
    WebhookCounts, WebhookEvents, WebhookFilter, WebhookMessage, WebhookSecret, WebhookTry,
    WebhookTurn,
};
pub use worker::{MarkDead, MarkedDead, RegisterWorker, Registered, WorkerFilter, WorkerInfo};
