//! What things are and what may happen to them: pure types and functions.
//!
//! An *execution* is one unit of work of a *kind*. A worker runs it under a
//! *lease*, in numbered *attempts*, until it reaches an *outcome*. Everything a
//! client, a guest or the database calls by name is named here once, with the
//! strings it has on the wire.
//!
//! This crate does no IO, reads no clock and draws no random numbers, so its
//! rules can serve as the oracle for the code that does.

mod access;
mod attempt;
mod condition;
mod event;
mod execution;
mod flow;
mod fnv;
mod id;
mod invalid;
mod lane;
mod lease;
mod limits;
mod list_cursor;
mod moment;
mod names;
pub mod patterns;
mod policy;
mod quoted;
mod refusal;
mod refusal_code;
mod route;
mod signal;
mod stream;
mod suspension;
mod waitpoint;
mod webhook;
mod wire;
mod worker;

pub use access::{
    ApiKeyRefusal, Identity, Principal, Role, RoleGrant, Scope, credential_of, may_grant,
};
pub use attempt::{
    AlreadySatisfied, AttemptEnd, AttemptLifecycle, AttemptType, EngineCode, ExpireReason, Failure,
    FailureClass, Usage, failure_code, is_reserved_code,
};
pub use condition::{
    CompositeBody, ConditionError, ConditionFault, CountKind, Evaluation, FlatCondition,
    ResumeCondition, SignalFact, SignalMatcher, effect, evaluate,
};
pub use event::{
    CompletionOutcome, DeliveredSignal, Event, EventCursor, EventDetail, EventFact, EventFamily,
    EventFilter, EventKind, EventPlace, EventPlaceError, EventStart, FlowFact, LeaseEnd, LeaseFact,
    LoggedEvent, OperatorFact, RevokedBy, SignalDeliveryEffect, TagFact, WorkerFact,
};
pub use execution::{
    AttemptState, BlockingReason, CancelSource, EligibilityState, INITIAL_STATES, LifecyclePhase,
    Outcome, OwnershipState, PublicState, Rule, State, StateKind, StateVector, Verb, figure, rule,
};
pub use flow::{
    EdgeDependencyPolicy, EdgeEffect, EdgeGroup, EdgeGroupState, EdgeId, EdgeKind, EdgeState,
    FlowCancelRefusal, FlowCancellationPolicy, FlowCounters, FlowEligibility, FlowRefusal,
    FlowStatus, GroupDecision, OnSatisfied, PublicFlowState, find_cycle, member_name,
};
pub use id::{
    AttemptId, Digest, DigestError, ExecutionId, Fence, FlowId, IdError, LeaseId, PARTITIONS_MAX,
    Partition, Partitions,
};
pub use invalid::{Invalid, check_range, ensure};
pub use lane::LaneState;
pub use lease::{GrantKind, GrantProbe, GrantRefusal, Observed, RedeemRefusal};
pub use limits::Limits;
pub use list_cursor::{ListCursorError, ListScope};
pub use moment::{Moment, MomentError};
pub use names::{
    LANE_DEFAULT, NAMESPACE_DEFAULT, api_key_name, idempotency_key, kind_name, lane_name,
    media_type, namespace_name, plain_text, signal_name, tag_key, waitpoint_key, worker_name,
};
pub use policy::{
    Backoff, ExecutionPolicy, NotOffered, PRIORITY_MAX, Retention, Retry, RetryPolicy,
    RoutingRequirements, StreamPolicy, SuspensionPolicy, TimeoutBehavior, TimeoutPolicy,
    capabilities, duration, priority, time_limit,
};
pub use quoted::{
    QUOTED_EXAMPLES_MAX, QUOTED_NAME_BYTES_MAX, QUOTED_TEXT_BYTES_MAX, quoted, quoted_list,
    truncated,
};
pub use refusal::{
    CancelRefusal, CreateRefusal, EventsRefusal, LeaseRefusal, OperateRefusal, Refusal, Told,
};
pub use refusal_code::RefusalCode;
pub use signal::{InvalidWaitpointToken, KnownSource, SignalEffect, SignalId, SignalRefusal};
pub use stream::{
    AppendMode, AppendRefusal, AttemptFacts, ClosedReason, FrameEncoding, FrameId, FrameMode,
    LogPlace, LogPlaceError, NewFrame, StreamClosed, StreamCursor, StreamCursorError, StreamFrame,
    StreamRefusal, SummaryDocument, SummaryPatch, Visibility,
};
pub use suspension::{
    DeliveryTarget, OpenSuspension, ResumePolicy, ResumeTarget, SignalHeader, SuspendRefusal,
    SuspensionCloseReason, SuspensionEnd, SuspensionId, SuspensionReason, SuspensionRequester,
    TargetWaitpoint,
};
pub use waitpoint::{
    KeyRetireRefusal, KeyRotateRefusal, WaitpointClaims, WaitpointCloseReason, WaitpointId,
    WaitpointKeyState, WaitpointRef, WaitpointRefusal, WaitpointState, waitpoint_kid,
};
pub use webhook::{WebhookAnswer, WebhookRefusal, WebhookState, webhook_name, webhook_pause_ms};
pub use wire::UnknownName;
pub use worker::{RegisterRefusal, WorkerRefusal, WorkerType};
