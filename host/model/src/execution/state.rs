//! The state of an execution: one sum type, which is the truth.
//!
//! [`PublicState`] and [`StateVector`](crate::StateVector) are derived from it when
//! they are read and are stored nowhere.

use time::OffsetDateTime;

use super::{BlockingReason, Outcome};
use crate::Fence;
use crate::wire::named;

/// The state of an execution, with the data of that state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Ready; any capable worker may claim it.
    Waiting,
    /// Not ready before `until`.
    Delayed {
        /// When it becomes due, by the database's clock.
        until: OffsetDateTime,
        /// Why it is delayed.
        why: BlockingReason,
    },
    /// Held back by a budget or a quota.
    RateLimited {
        /// A budget or a quota.
        by: BlockingReason,
    },
    /// Waiting for other executions of its flow.
    WaitingChildren,
    /// Taken out of its queue until an operator or the host unblocks it.
    Blocked {
        /// Who blocked it, or for what.
        by: BlockingReason,
    },
    /// Running under a lease.
    Active {
        /// The lease it runs under.
        lease: Fence,
    },
    /// Waiting for signals, without a lease.
    Suspended {
        /// The kind of signal it waits for.
        why: BlockingReason,
    },
    /// Finished.
    Terminal {
        /// How the execution ended.
        outcome: Outcome,
    },
}

impl State {
    /// Returns the state without its data.
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Waiting => StateKind::Waiting,
            Self::Delayed { .. } => StateKind::Delayed,
            Self::RateLimited { .. } => StateKind::RateLimited,
            Self::WaitingChildren => StateKind::WaitingChildren,
            Self::Blocked { .. } => StateKind::Blocked,
            Self::Active { .. } => StateKind::Active,
            Self::Suspended { .. } => StateKind::Suspended,
            Self::Terminal { .. } => StateKind::Terminal,
        }
    }

    /// Returns the state as clients see it.
    pub const fn public(&self) -> PublicState {
        match self {
            // The blocking reason tells a blocked execution from a waiting one.
            Self::Waiting | Self::Blocked { .. } => PublicState::Waiting,
            Self::Delayed { .. } => PublicState::Delayed,
            Self::RateLimited { .. } => PublicState::RateLimited,
            Self::WaitingChildren => PublicState::WaitingChildren,
            Self::Active { .. } => PublicState::Active,
            Self::Suspended { .. } => PublicState::Suspended,
            Self::Terminal { outcome } => match outcome {
                Outcome::Success => PublicState::Completed,
                Outcome::Failed => PublicState::Failed,
                Outcome::Cancelled => PublicState::Cancelled,
                Outcome::Expired => PublicState::Expired,
                Outcome::Skipped => PublicState::Skipped,
            },
        }
    }

    /// Returns what the execution waits for.
    pub const fn blocking_reason(&self) -> BlockingReason {
        match self {
            Self::Waiting => BlockingReason::WaitingForWorker,
            Self::Delayed { why, .. } | Self::Suspended { why } => *why,
            Self::RateLimited { by } | Self::Blocked { by } => *by,
            Self::WaitingChildren => BlockingReason::WaitingForChildren,
            Self::Active { .. } | Self::Terminal { .. } => BlockingReason::None,
        }
    }
}

named! {
    /// A [`State`] without its data. States kept in rows of `parked` are labels of
    /// the Postgres enum `parked_state`.
    pub enum StateKind ("state") {
        /// See [`State::Waiting`].
        Waiting = "waiting",
        /// See [`State::Delayed`].
        Delayed = "delayed",
        /// See [`State::RateLimited`].
        RateLimited = "rate_limited",
        /// See [`State::WaitingChildren`].
        WaitingChildren = "waiting_children",
        /// See [`State::Blocked`].
        Blocked = "blocked",
        /// See [`State::Active`].
        Active = "active",
        /// See [`State::Suspended`].
        Suspended = "suspended",
        /// See [`State::Terminal`].
        Terminal = "terminal",
    }
}

named! {
    /// The state as clients see it.
    pub enum PublicState ("public state") {
        /// Ready, or blocked; [`BlockingReason`] tells which.
        Waiting = "waiting",
        /// Not ready before a time.
        Delayed = "delayed",
        /// Held back by a budget or a quota.
        RateLimited = "rate_limited",
        /// Waiting for other executions of its flow.
        WaitingChildren = "waiting_children",
        /// Running under a lease.
        Active = "active",
        /// Waiting for signals.
        Suspended = "suspended",
        /// Its condition was satisfied and it is ready to resume.
        Resumable = "resumable",
        /// Finished with [`Outcome::Success`].
        Completed = "completed",
        /// Finished with [`Outcome::Failed`].
        Failed = "failed",
        /// Finished with [`Outcome::Cancelled`].
        Cancelled = "cancelled",
        /// Finished with [`Outcome::Expired`].
        Expired = "expired",
        /// Finished with [`Outcome::Skipped`].
        Skipped = "skipped",
    }
}

impl PublicState {
    /// Whether the execution is finished.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Expired | Self::Skipped
        )
    }
}
