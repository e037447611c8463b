//! FlowFabric's six-dimension view of a state, with its strings.

use serde::{Deserialize, Serialize};

use super::{BlockingReason, Outcome, PublicState, State};
use crate::AttemptType;
use crate::wire::named;

/// FlowFabric's view of a state: six dimensions, and the public state derived from
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVector {
    /// Dimension 1: the phase of its life.
    pub lifecycle_phase: LifecyclePhase,
    /// Dimension 2: who may write.
    pub ownership_state: OwnershipState,
    /// Dimension 3: whether a claim may take it.
    pub eligibility_state: EligibilityState,
    /// Dimension 4: what it waits for.
    pub blocking_reason: BlockingReason,
    /// Dimension 5: how it ended; absent (FlowFabric's `none`) before that.
    pub terminal_outcome: Option<Outcome>,
    /// Dimension 6: the current or next attempt.
    pub attempt_state: AttemptState,
    /// The state as clients see it.
    pub public_state: PublicState,
}

impl StateVector {
    /// Returns the vector of the same execution in a lane that does not serve: an
    /// execution that could be claimed is blocked by the lane, any other is unchanged.
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

impl State {
    /// Returns the vector of an execution in this state. `next` is the type of its
    /// next attempt, `resumes` whether that continues an interrupted one.
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
        let (phase, ownership, attempt) = match self {
            Self::Active { .. } => (
                LifecyclePhase::Active,
                OwnershipState::Leased,
                AttemptState::RunningAttempt,
            ),
            Self::Suspended { .. } => (
                LifecyclePhase::Suspended,
                OwnershipState::Unowned,
                AttemptState::AttemptInterrupted,
            ),
            Self::Terminal { .. } => (
                LifecyclePhase::Terminal,
                OwnershipState::Unowned,
                AttemptState::AttemptTerminal,
            ),
            _ => (LifecyclePhase::Runnable, OwnershipState::Unowned, pending),
        };
        StateVector {
            lifecycle_phase: phase,
            ownership_state: ownership,
            eligibility_state: self.eligibility(),
            blocking_reason: self.blocking_reason(),
            terminal_outcome: match self {
                Self::Terminal { outcome } => Some(*outcome),
                _ => None,
            },
            attempt_state: attempt,
            public_state: self.public(),
        }
    }

    const fn eligibility(&self) -> EligibilityState {
        match self {
            Self::Waiting => EligibilityState::EligibleNow,
            Self::Delayed { .. } => EligibilityState::NotEligibleUntilTime,
            Self::RateLimited { by } => match by {
                BlockingReason::WaitingForBudget => EligibilityState::BlockedByBudget,
                _ => EligibilityState::BlockedByQuota,
            },
            Self::WaitingChildren => EligibilityState::BlockedByDependencies,
            Self::Blocked { by } => match by {
                BlockingReason::WaitingForCapableWorker
                | BlockingReason::WaitingForLocalityMatch => EligibilityState::BlockedByRoute,
                BlockingReason::PausedByPolicy => EligibilityState::BlockedByLaneState,
                _ => EligibilityState::BlockedByOperator,
            },
            Self::Active { .. } | Self::Suspended { .. } | Self::Terminal { .. } => {
                EligibilityState::NotApplicable
            }
        }
    }
}

named! {
    /// Dimension 1: the phase of its life.
    pub enum LifecyclePhase ("lifecycle phase") {
        /// A string of FlowFabric's; no execution is in it.
        Submitted = "submitted",
        /// May run, now or later.
        Runnable = "runnable",
        /// Runs under a lease.
        Active = "active",
        /// Waits for signals.
        Suspended = "suspended",
        /// Has ended.
        Terminal = "terminal",
    }
}

named! {
    /// Dimension 2: who may write.
    pub enum OwnershipState ("ownership state") {
        /// No one: there is no lease.
        Unowned = "unowned",
        /// The holder of the lease.
        Leased = "leased",
        /// No one: its lease expired and was not reclaimed yet.
        LeaseExpiredReclaimable = "lease_expired_reclaimable",
        /// No one: its lease was revoked and it was not claimed again yet.
        LeaseRevoked = "lease_revoked",
    }
}

named! {
    /// Dimension 3: whether a claim may take it.
    pub enum EligibilityState ("eligibility state") {
        /// A claim may take it.
        EligibleNow = "eligible_now",
        /// It is delayed.
        NotEligibleUntilTime = "not_eligible_until_time",
        /// It waits for other executions of its flow.
        BlockedByDependencies = "blocked_by_dependencies",
        /// A budget is exhausted.
        BlockedByBudget = "blocked_by_budget",
        /// A quota is full.
        BlockedByQuota = "blocked_by_quota",
        /// No worker is capable of running it.
        BlockedByRoute = "blocked_by_route",
        /// The lane does not serve.
        BlockedByLaneState = "blocked_by_lane_state",
        /// An operator blocked it.
        BlockedByOperator = "blocked_by_operator",
        /// It is not in the runnable phase.
        NotApplicable = "not_applicable",
    }
}

named! {
    /// Dimension 6: the current or next attempt.
    pub enum AttemptState ("attempt state") {
        /// A string of FlowFabric's; no execution is in it.
        None = "none",
        /// No attempt has begun.
        PendingFirstAttempt = "pending_first_attempt",
        /// An attempt runs.
        RunningAttempt = "running_attempt",
        /// An attempt was interrupted and continues later.
        AttemptInterrupted = "attempt_interrupted",
        /// The next attempt is a retry.
        PendingRetryAttempt = "pending_retry_attempt",
        /// The next attempt is a replay.
        PendingReplayAttempt = "pending_replay_attempt",
        /// There will be no further attempt.
        AttemptTerminal = "attempt_terminal",
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
