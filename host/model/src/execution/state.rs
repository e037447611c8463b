//! Where an execution stands: one sum type, and the views derived from it.
//!
//! [`State`] is the truth. [`PublicState`] and [`StateVector`] are derived from
//! it on reading and stored nowhere.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::wire::named;
use crate::{AttemptType, Fence};

/// Where an execution stands, with the data of that state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Ready; any capable worker may claim it.
    Waiting,
    /// Not due before `until`.
    Delayed {
        /// When it becomes due, by the database's clock.
        until: OffsetDateTime,
        /// Why it waits.
        why: BlockingReason,
    },
    /// Held back by a budget or a quota.
    RateLimited {
        /// Which of the two.
        by: BlockingReason,
    },
    /// Waiting for other executions of its flow.
    WaitingChildren,
    /// Taken out of its queue until someone puts it back.
    Blocked {
        /// By whom or for what.
        by: BlockingReason,
    },
    /// Running under a lease.
    Active {
        /// The lease it runs under.
        lease: Fence,
    },
    /// Waiting for a signal.
    Suspended {
        /// What it waits for.
        why: BlockingReason,
    },
    /// Finished.
    Terminal {
        /// How.
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

    /// Returns the state as clients know it.
    pub const fn public(&self) -> PublicState {
        match self {
            // A blocked execution is reported as waiting: what it waits for is
            // in the blocking reason.
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

    /// Returns the six-dimension view. `next` is the type of the attempt that
    /// is pending, `resumes` whether it goes on with an interrupted one.
    pub const fn vector(&self, next: AttemptType, resumes: bool) -> StateVector {
        let pending = if resumes {
            AttemptState::AttemptInterrupted
        } else {
            match next {
                AttemptType::Initial => AttemptState::PendingFirstAttempt,
                AttemptType::Retry | AttemptType::Fallback => AttemptState::PendingRetryAttempt,
                AttemptType::Reclaim => AttemptState::AttemptInterrupted,
                AttemptType::Replay => AttemptState::PendingReplayAttempt,
            }
        };
        let (phase, ownership, eligibility, attempt) = match self {
            Self::Waiting => (
                LifecyclePhase::Runnable,
                OwnershipState::Unowned,
                EligibilityState::EligibleNow,
                pending,
            ),
            Self::Delayed { .. } => (
                LifecyclePhase::Runnable,
                OwnershipState::Unowned,
                EligibilityState::NotEligibleUntilTime,
                pending,
            ),
            Self::RateLimited { by } => (
                LifecyclePhase::Runnable,
                OwnershipState::Unowned,
                match by {
                    BlockingReason::WaitingForBudget => EligibilityState::BlockedByBudget,
                    _ => EligibilityState::BlockedByQuota,
                },
                pending,
            ),
            Self::WaitingChildren => (
                LifecyclePhase::Runnable,
                OwnershipState::Unowned,
                EligibilityState::BlockedByDependencies,
                pending,
            ),
            Self::Blocked { by } => (
                LifecyclePhase::Runnable,
                OwnershipState::Unowned,
                match by {
                    BlockingReason::WaitingForCapableWorker
                    | BlockingReason::WaitingForLocalityMatch => EligibilityState::BlockedByRoute,
                    BlockingReason::PausedByPolicy => EligibilityState::BlockedByLaneState,
                    _ => EligibilityState::BlockedByOperator,
                },
                pending,
            ),
            Self::Active { .. } => (
                LifecyclePhase::Active,
                OwnershipState::Leased,
                EligibilityState::NotApplicable,
                AttemptState::RunningAttempt,
            ),
            Self::Suspended { .. } => (
                LifecyclePhase::Suspended,
                OwnershipState::Unowned,
                EligibilityState::NotApplicable,
                AttemptState::AttemptInterrupted,
            ),
            Self::Terminal { .. } => (
                LifecyclePhase::Terminal,
                OwnershipState::Unowned,
                EligibilityState::NotApplicable,
                AttemptState::AttemptTerminal,
            ),
        };
        StateVector {
            lifecycle_phase: phase,
            ownership_state: ownership,
            eligibility_state: eligibility,
            blocking_reason: self.blocking_reason(),
            terminal_outcome: match self {
                Self::Terminal { outcome } => Some(*outcome),
                _ => None,
            },
            attempt_state: attempt,
            public_state: self.public(),
        }
    }
}

named! {
    /// A [`State`] without its data; the label of the Postgres enum
    /// `parked_state` where the state is kept in a row of `parked`.
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
    /// How an execution ended.
    pub enum Outcome ("outcome") {
        /// Its handler returned a result.
        Success = "success",
        /// Its handler failed and no attempt was left.
        Failed = "failed",
        /// Someone asked for it.
        Cancelled = "cancelled",
        /// A time limit passed.
        Expired = "expired",
        /// Its flow no longer needs it.
        Skipped = "skipped",
    }
}

named! {
    /// The one word clients see.
    pub enum PublicState ("public state") {
        /// Ready, or blocked for a reason given beside it.
        Waiting = "waiting",
        /// Not due yet.
        Delayed = "delayed",
        /// Held back by a budget or a quota.
        RateLimited = "rate_limited",
        /// Waiting for other executions of its flow.
        WaitingChildren = "waiting_children",
        /// Running under a lease.
        Active = "active",
        /// Waiting for a signal.
        Suspended = "suspended",
        /// Satisfied and ready to go on.
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

named! {
    /// First dimension of the vector.
    pub enum LifecyclePhase ("lifecycle phase") {
        /// Kept for readers of the ancestor's strings; never entered.
        Submitted = "submitted",
        /// Could run, now or later.
        Runnable = "runnable",
        /// Runs.
        Active = "active",
        /// Waits for a signal.
        Suspended = "suspended",
        /// Finished.
        Terminal = "terminal",
    }
}

named! {
    /// Second dimension: who may write.
    pub enum OwnershipState ("ownership state") {
        /// Nobody.
        Unowned = "unowned",
        /// The holder of the lease.
        Leased = "leased",
        /// The lease lapsed and nobody took over yet.
        LeaseExpiredReclaimable = "lease_expired_reclaimable",
        /// The lease was revoked and nobody took over yet.
        LeaseRevoked = "lease_revoked",
    }
}

named! {
    /// Third dimension: whether a claim may take it.
    pub enum EligibilityState ("eligibility state") {
        /// Yes.
        EligibleNow = "eligible_now",
        /// Not before its time.
        NotEligibleUntilTime = "not_eligible_until_time",
        /// Other executions come first.
        BlockedByDependencies = "blocked_by_dependencies",
        /// A budget is spent.
        BlockedByBudget = "blocked_by_budget",
        /// A quota is full.
        BlockedByQuota = "blocked_by_quota",
        /// No capable worker.
        BlockedByRoute = "blocked_by_route",
        /// The lane does not serve.
        BlockedByLaneState = "blocked_by_lane_state",
        /// An operator holds it.
        BlockedByOperator = "blocked_by_operator",
        /// Not runnable at all.
        NotApplicable = "not_applicable",
    }
}

named! {
    /// Fourth dimension: what it waits for. Labels of the Postgres enum
    /// `blocking_reason`.
    pub enum BlockingReason ("blocking reason") {
        /// Nothing.
        None = "none",
        /// A worker with a free slot.
        WaitingForWorker = "waiting_for_worker",
        /// The backoff after a failure.
        WaitingForRetryBackoff = "waiting_for_retry_backoff",
        /// The delay after a resume.
        WaitingForResumeDelay = "waiting_for_resume_delay",
        /// A delay asked for at creation or by the handler.
        WaitingForDelay = "waiting_for_delay",
        /// A signal.
        WaitingForSignal = "waiting_for_signal",
        /// Somebody's approval.
        WaitingForApproval = "waiting_for_approval",
        /// A call from outside.
        WaitingForCallback = "waiting_for_callback",
        /// The result of a tool.
        WaitingForToolResult = "waiting_for_tool_result",
        /// Other executions.
        WaitingForChildren = "waiting_for_children",
        /// Room in a budget.
        WaitingForBudget = "waiting_for_budget",
        /// Room in a quota.
        WaitingForQuota = "waiting_for_quota",
        /// A worker with the required capabilities.
        WaitingForCapableWorker = "waiting_for_capable_worker",
        /// A worker in the right place.
        WaitingForLocalityMatch = "waiting_for_locality_match",
        /// An operator.
        PausedByOperator = "paused_by_operator",
        /// A policy.
        PausedByPolicy = "paused_by_policy",
        /// The cancellation of its flow.
        PausedByFlowCancel = "paused_by_flow_cancel",
    }
}

named! {
    /// Sixth dimension: the attempt.
    pub enum AttemptState ("attempt state") {
        /// Kept for readers of the ancestor's strings; never entered.
        None = "none",
        /// None begun yet.
        PendingFirstAttempt = "pending_first_attempt",
        /// One runs.
        RunningAttempt = "running_attempt",
        /// One was put down and goes on later.
        AttemptInterrupted = "attempt_interrupted",
        /// The next one retries.
        PendingRetryAttempt = "pending_retry_attempt",
        /// The next one replays.
        PendingReplayAttempt = "pending_replay_attempt",
        /// No further one.
        AttemptTerminal = "attempt_terminal",
    }
}

/// The ancestor's view of a state: six dimensions and the public word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVector {
    /// First dimension.
    pub lifecycle_phase: LifecyclePhase,
    /// Second dimension.
    pub ownership_state: OwnershipState,
    /// Third dimension.
    pub eligibility_state: EligibilityState,
    /// Fourth dimension.
    pub blocking_reason: BlockingReason,
    /// Fifth dimension; absent (the ancestor's `none`) before the end.
    pub terminal_outcome: Option<Outcome>,
    /// Sixth dimension.
    pub attempt_state: AttemptState,
    /// Derived word.
    pub public_state: PublicState,
}

impl StateVector {
    /// Returns the vector of the same execution in a lane that does not serve: one that
    /// could be claimed waits for the lane. What waits for something else, or runs, does
    /// so in any lane.
    pub const fn held_by_lane(self) -> Self {
        match self.eligibility_state {
            EligibilityState::EligibleNow => Self {
                eligibility_state: EligibilityState::BlockedByLaneState,
                blocking_reason: BlockingReason::PausedByPolicy,
                ..self
            },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_does_not_serve_blocks_what_could_be_claimed_and_nothing_else() {
        let held = |state: State| state.vector(AttemptType::Initial, false).held_by_lane();
        let ready = held(State::Waiting);
        assert_eq!(
            (
                ready.eligibility_state,
                ready.blocking_reason,
                ready.public_state
            ),
            (
                EligibilityState::BlockedByLaneState,
                BlockingReason::PausedByPolicy,
                PublicState::Waiting
            )
        );
        let by = BlockingReason::PausedByOperator;
        assert_eq!(
            held(State::Blocked { by }).eligibility_state,
            EligibilityState::BlockedByOperator
        );
        assert_eq!(
            held(State::WaitingChildren).eligibility_state,
            EligibilityState::BlockedByDependencies
        );
    }
}
