//! Executions that wait for the world: suspensions, the waitpoints they wait at,
//! and the signals that arrive there.
//!
//! A *suspension* ends a lease and lasts until its condition is satisfied, its
//! time is over, or somebody ends it; exactly one of these happens, because each
//! takes away the one row of `parked` it waits in. A *waitpoint* is where signals
//! for it arrive; it may be made before the suspension, and what arrives early is
//! kept. What a signal does is decided by [`model::Inbox`] on what was read, and
//! written by a statement that holds only if nothing changed since.

mod begin;
mod bind;
mod boxes;
mod close_waitpoint;
mod create_waitpoint;
mod deliver;
mod inbox;
mod list;
mod mint_token;
mod plan;
mod read;
mod resume;
pub(crate) mod resumption;
mod satisfy;
mod signal;
mod suspend;
mod tally;
mod written;

pub(crate) use begin::{SuspendCall, SuspendVerdict};
pub(crate) use deliver::{DeliverCall, DeliverVerdict, Resume};
pub(crate) use tally::Tally;

pub use list::SuspendedExecution;
pub use read::{SignalInfo, SuspensionInfo, WaitpointInfo};

use std::fmt;
use std::sync::Arc;

use model::{
    ExecutionId, ExecutionPolicy, Fence, Moment, ResumeCondition, ResumePolicy, SignalEffect,
    SignalId, SuspensionCloseReason, SuspensionId, SuspensionReason, SuspensionRequester,
    TimeoutBehavior, WaitpointId,
};
use time::OffsetDateTime;

use crate::WaitpointToken;
use crate::checks::Payload;
use crate::lease::Report;
use crate::operate::Operate;

/// The holder's wish for a waitpoint before it suspends.
#[derive(Debug, Clone)]
pub struct CreateWaitpoint {
    /// The lease it is asked under.
    pub fence: Fence,
    /// Its name within the execution, see [`model::waitpoint_key`]; empty:
    /// `wpk:` and its id. An open waitpoint with that key is given again, so that
    /// an attempt that is repeated gets the one its signals came to.
    pub key: String,
    /// How long it waits for its suspension, in milliseconds; absent:
    /// [`model::Limits::WAITPOINT_PENDING_MS_DEFAULT`].
    pub expires_in_ms: Option<u64>,
    /// Names of signals its token may send; empty: any.
    pub signal_names: Vec<String>,
}

/// A waitpoint that takes signals, and a token that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWaitpoint {
    /// The waitpoint.
    pub id: WaitpointId,
    /// Its key.
    pub key: String,
    /// Whoever carries it may send signals here. Kept nowhere.
    pub token: WaitpointToken,
    /// Until when it waits for its suspension, while it is pending; of a token that
    /// was made on its own, until when that holds.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it was there before.
    pub existing: bool,
}

/// A waitpoint a suspension waits at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// A new one; its key must not be that of an open one.
    Fresh {
        /// Its key; empty only for the first: `wpk:` and its id.
        key: String,
        /// Names of signals its token may send; empty: any.
        signal_names: Vec<String>,
    },
    /// One that is pending.
    UsePending(WaitpointId),
    /// The pending one with this key, or else a new one.
    Keyed(String),
}

/// When a suspension times out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionTimeout {
    /// So many milliseconds from now.
    InMs(u64),
    /// At this time, by the database's clock; one that has passed is refused.
    At(Moment),
}

/// The holder's wish to wait for signals.
#[derive(Debug, Clone)]
pub struct Suspend {
    /// The lease it is asked under.
    pub fence: Fence,
    /// Where it waits; empty: at [`Binding::Keyed`] waitpoints, one for each key
    /// that the condition names, or at a single new one if it names none.
    pub waitpoints: Vec<Binding>,
    /// What it waits for.
    pub condition: ResumeCondition,
    /// What happens then.
    pub resume_policy: ResumePolicy,
    /// Why it waits.
    pub reason: SuspensionReason,
    /// Who asked for it.
    pub requested_by: SuspensionRequester,
    /// When it times out; absent: as the execution's policy says.
    pub timeout: Option<SuspensionTimeout>,
    /// What happens then; absent: as the execution's policy says.
    pub timeout_behavior: Option<TimeoutBehavior>,
    /// What the handler goes on with; bounded as a result is.
    pub state: Option<Payload>,
    /// Names the suspension within its execution: asked for again, it is answered
    /// by what became of the first.
    pub idempotency_key: Option<String>,
    /// What the attempt used and said so far.
    pub report: Report,
    /// The namespace and the policy, as the claim returned them; absent for callers
    /// that did not keep them.
    pub known: Option<(String, Arc<ExecutionPolicy>)>,
}

/// What became of a wish to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspended {
    /// The execution waits; the lease is gone.
    Suspended(Suspension),
    /// What came before satisfies the condition; the lease stays.
    AlreadySatisfied(Resumption),
}

/// A suspension that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// The suspension.
    pub id: SuspensionId,
    /// Where it waits, in the order asked for.
    pub waitpoints: Vec<OpenWaitpoint>,
    /// When it times out.
    pub timeout_at: Option<OffsetDateTime>,
}

/// What a handler goes on with: its state, and the signals that satisfied the
/// last suspension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The suspension that is over.
    pub suspension_id: SuspensionId,
    /// Why.
    pub reason: SuspensionCloseReason,
    /// Since when.
    pub closed_at: OffsetDateTime,
    /// What the handler saved.
    pub state: Option<Payload>,
    /// The signals that satisfied it, in the order they were accepted; the first
    /// of them, see [`model::Limits::SIGNALS_MAX`]. None when nothing did.
    pub signals: Vec<ReceivedSignal>,
    /// How many there are.
    pub signal_count: u32,
}

/// A signal as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// The signal.
    pub id: SignalId,
    /// Where it came to.
    pub waitpoint_id: WaitpointId,
    /// The key of that.
    pub waitpoint_key: String,
    /// Its name.
    pub name: String,
    /// What it is about, if its sender said so.
    pub category: Option<String>,
    /// What sort of thing sent it.
    pub source_type: String,
    /// Which one of that sort.
    pub source_identity: String,
    /// What its sender links it to.
    pub correlation_id: Option<String>,
    /// What it brings.
    pub payload: Option<Payload>,
    /// When it was accepted.
    pub accepted_at: OffsetDateTime,
}

/// A signal to be delivered.
#[derive(Debug, Clone)]
pub struct Deliver {
    /// Where to.
    pub to: Addressee,
    /// Its name, see [`model::signal_name`].
    pub name: String,
    /// What it is about; at most 255 bytes.
    pub category: Option<String>,
    /// What sort of thing sends it, such as `webhook`; 1 to 255 bytes.
    pub source_type: String,
    /// Which one of that sort; 1 to 255 bytes.
    pub source_identity: String,
    /// What its sender links it to; at most 255 bytes.
    pub correlation_id: Option<String>,
    /// What it brings; at most [`model::Limits::SIGNAL_BYTES_MAX`].
    pub payload: Option<Payload>,
    /// A repeat to the same waitpoint with this key, 1 to 255 bytes, is answered
    /// as the first was, while the key is remembered.
    pub idempotency_key: Option<String>,
    /// How long it is, in milliseconds, 1 to ten years; absent:
    /// [`model::Limits::SIGNAL_DEDUP_MS_DEFAULT`].
    pub dedup_ttl_ms: Option<u64>,
}

/// Whom a signal is for, and what gives the right to send it.
#[derive(Clone)]
pub enum Addressee {
    /// Whoever carries the token may.
    Token {
        /// The token.
        token: String,
        /// What the caller believes it is for; another is refused like a bad
        /// token.
        execution_id: Option<ExecutionId>,
        /// The caller's namespace; a token of another is refused like a bad one.
        namespace: Option<String>,
    },
    /// An operator needs no token; what he does is kept with the execution.
    Operator {
        /// The execution, and who asks.
        operate: Operate,
        /// Which of its waitpoints.
        waitpoint: WaitpointRef,
    },
}

/// Whoever has a token may use it, so it is not shown by accident.
impl fmt::Debug for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { execution_id, .. } => f
                .debug_struct("Token")
                .field("execution_id", execution_id)
                .finish_non_exhaustive(),
            Self::Operator { operate, waitpoint } => f
                .debug_struct("Operator")
                .field("operate", operate)
                .field("waitpoint", waitpoint)
                .finish(),
        }
    }
}

/// A waitpoint of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitpointRef {
    /// By id.
    Id(WaitpointId),
    /// The open one with this key, or else the last that had it.
    Key(String),
    /// The only one that is open.
    Only,
}

/// The answer to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The signal: that of the first delivery if this is a duplicate.
    pub signal_id: SignalId,
    /// Whom it was for.
    pub execution_id: ExecutionId,
    /// Where it came to.
    pub waitpoint_id: WaitpointId,
    /// What it did.
    pub effect: SignalEffect,
    /// Whether it had been delivered before, and did nothing now.
    pub duplicate: bool,
}
