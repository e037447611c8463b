//! What things are and what may happen to them: pure types and functions.
//!
//! An *execution* is one unit of work of a *kind*. A worker runs it under a
//! *lease*, in numbered *attempts*, until it reaches an *outcome*. Everything a
//! client, a guest or the database calls by name is named here once, with the
//! strings it has on the wire.
//!
//! This crate does no IO, reads no clock and draws no random numbers, so its
//! rules can serve as the oracle for the code that does.

mod attempt;
mod condition;
mod cursor;
mod delivery;
mod digest;
mod engine_code;
mod event;
mod failure;
mod grant;
mod id;
mod lane;
mod lease;
mod limits;
mod list_cursor;
mod moment;
mod names;
mod not_offered;
mod policy;
mod refusal;
mod retention;
mod retry;
mod shown;
mod signal;
mod source;
mod state;
mod suspension;
mod transition;
mod waitpoint;
mod waitpoint_key;
mod wire;
mod worker;

pub use attempt::{AlreadySatisfied, AttemptEnd, AttemptLifecycle, AttemptType};
pub use condition::{
    CompositeBody, ConditionError, ConditionFault, CountKind, Evaluation, FlatCondition,
    ResumeCondition, SignalFact, SignalMatcher, effect, evaluate,
};
pub use cursor::{Cursor, CursorError};
pub use delivery::{Closing, Heard, Inbox, InboxWaitpoint, Waiting};
pub use digest::{Digest, DigestError};
pub use engine_code::{EngineCode, is_reserved_code};
pub use event::{Event, EventKind, Family};
pub use failure::{Failure, FailureClass, Usage};
pub use grant::{GrantKind, GrantRefusal, GrantSight, RedeemRefusal};
pub use id::{ExecutionId, FlowId, IdError, LeaseId, PARTITIONS_MAX, Partition, Partitions};
pub use lane::LaneState;
pub use lease::{Fence, Observed};
pub use limits::Limits;
pub use list_cursor::{ListCursorError, ListScope};
pub use moment::{Moment, MomentError};
pub use names::{
    Invalid, LANE_DEFAULT, NAMESPACE_DEFAULT, failure_code, idempotency_key, kind_name, lane_name,
    media_type, namespace_name, priority, signal_name, tag_key, waitpoint_key, worker_name,
};
pub use not_offered::NotOffered;
pub use policy::{
    Backoff, ExecutionPolicy, PRIORITY_MAX, RetryPolicy, RoutingRequirements, SuspensionPolicy,
    TimeoutBehavior, TimeoutPolicy, capabilities,
};
pub use refusal::{
    CancelRefusal, CreateRefusal, EventsRefusal, LeaseRefusal, OperateRefusal, Refusal,
};
pub use retention::Retention;
pub use retry::Retry;
pub use shown::{
    SHOWN_EXAMPLES_MAX, SHOWN_NAME_BYTES_MAX, SHOWN_TEXT_BYTES_MAX, shown, shown_name, shown_names,
};
pub use signal::{InvalidToken, KnownSource, SignalEffect, SignalId, SignalRefusal};
pub use source::CancelSource;
pub use state::{
    AttemptState, BlockingReason, EligibilityState, LifecyclePhase, Outcome, OwnershipState,
    PublicState, State, StateKind, StateVector,
};
pub use suspension::{
    ResumePolicy, ResumeTarget, SuspendRefusal, SuspensionCloseReason, SuspensionId,
    SuspensionReason, SuspensionRequester,
};
pub use transition::{Rule, Verb, figure, rule};
pub use waitpoint::{
    WaitpointClaims, WaitpointCloseReason, WaitpointId, WaitpointRefusal, WaitpointState,
};
pub use waitpoint_key::{KeyRetireRefusal, KeyRotateRefusal, WaitpointKeyState, waitpoint_kid};
pub use wire::UnknownName;
pub use worker::{RegisterRefusal, WorkerRefusal, WorkerType};
