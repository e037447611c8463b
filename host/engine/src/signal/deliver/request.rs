//! What may end a suspension: signals, and requests to resume without one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{
    ExecutionId, Partition, SignalEffect, SignalId, SignalRefusal, SuspensionCloseReason,
    SuspensionId, WaitpointId, WaitpointRef,
};
use time::OffsetDateTime;

use crate::Error;
use crate::batch::BatchItem;
use crate::checks::Payload;
use crate::operate::{Operate, Operation};

/// A signal to send to a waitpoint.
#[derive(Debug, Clone)]
pub struct SendSignal {
    /// Which waitpoint it is for, and what permits the sender to signal there.
    pub to: Addressee,
    /// Its name, which a condition may ask for, see [`model::signal_name`].
    pub name: String,
    /// What it is about, for people; at most 255 bytes, absent if its sender does not say.
    pub category: Option<String>,
    /// Type of its sender, such as `webhook`; 1 to 255 bytes.
    pub source_type: String,
    /// Identity of its sender within that type; 1 to 255 bytes.
    pub source_identity: String,
    /// Name of the credential its sender has; absent if that is not known.
    pub credential: Option<String>,
    /// What its sender links it to; at most 255 bytes, absent if to nothing.
    pub correlation_id: Option<String>,
    /// Bytes for the handler, at most [`model::Limits::SIGNAL_BYTES_MAX`]; absent: none.
    pub payload: Option<Payload>,
    /// A repeat to the same waitpoint with this key, 1 to 255 bytes, is answered as the
    /// first was, while the key is remembered; absent: repeats are not recognized.
    pub idempotency_key: Option<String>,
    /// How long the key is remembered, in milliseconds, 1 to ten years; absent:
    /// [`model::Limits::SIGNAL_DEDUP_MS_DEFAULT`].
    pub dedup_ttl_ms: Option<u64>,
}

/// Which waitpoint a signal is for, and what permits its sender to signal there.
#[derive(Clone)]
pub enum Addressee {
    /// The waitpoint that a token names; anyone who carries the token may signal there.
    Token {
        /// Text of the waitpoint token.
        token: String,
        /// The execution the caller means; a token of another one is refused as invalid.
        /// Absent: any.
        execution_id: Option<ExecutionId>,
        /// The caller's namespace; a token of another one is refused as invalid. Absent:
        /// any.
        namespace: Option<String>,
    },
    /// An operator needs no token; the signal is recorded with the execution as theirs.
    Operator {
        /// The execution, and which operator asks.
        operate: Operate,
        /// Which of the execution's waitpoints.
        waitpoint: WaitpointRef,
    },
}

/// Redacted, because anyone who reads a token may use it.
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

/// The answer to a signal that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Id of the signal; of a duplicate, that of the first delivery.
    pub signal_id: SignalId,
    /// The execution it was delivered to.
    pub execution_id: ExecutionId,
    /// The waitpoint it was delivered to.
    pub waitpoint_id: WaitpointId,
    /// What the signal did when it was accepted.
    pub effect: SignalEffect,
    /// Whether it had been delivered before, and did nothing this time.
    pub duplicate: bool,
}

/// A signal whose bounds and token were checked.
#[derive(Debug)]
pub(crate) struct AuthorizedSignal {
    pub(crate) id: SignalId,
    pub(crate) waitpoint: WaitpointRef,
    pub(crate) authority: Authority,
    pub(crate) request: SendSignal,
}

/// What permits a sender to signal.
#[derive(Debug)]
pub(crate) enum Authority {
    /// A waitpoint token. Whether it is still valid is decided by the statement that
    /// stores the signal.
    Token {
        kid: String,
        expires_at: Option<OffsetDateTime>,
        namespace: String,
    },
    /// An operator, of this namespace if there is one.
    Operator {
        namespace: Option<String>,
        operation: Operation,
    },
}

/// A request to resume without a signal.
#[derive(Debug)]
pub(crate) struct Resume {
    pub(crate) reason: SuspensionCloseReason,
    /// The suspension that ends: no other one.
    pub(crate) suspension: SuspensionId,
    /// Whether it ends only if its timeout has passed.
    pub(crate) only_due: bool,
    /// How long the execution is delayed; absent: as its resume policy says.
    pub(crate) delay_ms: Option<u64>,
    pub(crate) operation: Option<Operation>,
}

/// One of the calls that a batch is made of.
#[derive(Debug)]
pub(crate) struct DeliverCall {
    pub(super) execution_id: ExecutionId,
    /// Calls of one execution are decided in the order they were made.
    sequence: u64,
    pub(super) request: DeliverRequest,
}

#[derive(Debug)]
pub(super) enum DeliverRequest {
    Signal(Box<AuthorizedSignal>),
    Resume(Box<Resume>),
}

/// The answer to a call.
#[derive(Debug)]
pub(crate) enum DeliverVerdict {
    Signal(Result<Delivered, SignalRefusal>),
    /// Whether a request to resume ended the suspension.
    Resume(bool),
    /// Something of the execution cannot be read.
    Unreadable(Error),
    /// The execution was changed by others at every try.
    Conflict,
}

impl DeliverCall {
    fn new(execution_id: ExecutionId, request: DeliverRequest) -> Self {
        static SEQUENCE: AtomicU64 = AtomicU64::new(0);
        Self {
            execution_id,
            sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed),
            request,
        }
    }

    /// Builds the call of a signal.
    pub(crate) fn signal(execution_id: ExecutionId, signal: AuthorizedSignal) -> Self {
        Self::new(execution_id, DeliverRequest::Signal(Box::new(signal)))
    }

    /// Builds the call that resumes an execution.
    pub(crate) fn resume(execution_id: ExecutionId, resume: Resume) -> Self {
        Self::new(execution_id, DeliverRequest::Resume(Box::new(resume)))
    }
}

impl BatchItem for DeliverCall {
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.execution_id.partition()
    }

    fn key(&self) -> Self::Key {
        (self.execution_id, self.sequence)
    }

    fn payload_bytes(&self) -> usize {
        let payload = match &self.request {
            DeliverRequest::Signal(signal) => signal.request.payload.as_ref(),
            DeliverRequest::Resume(_) => None,
        };
        payload.map_or(0, |payload| payload.data.len())
    }
}

impl Resume {
    /// Returns what is recorded with the operation.
    pub(crate) fn operation_detail(delay_ms: Option<u64>) -> Option<String> {
        delay_ms.map(|ms| format!("after {ms} ms"))
    }
}
