//! What the engine refuses, as problems: one `impl` for each of its refusals. The
//! codes are the same; `problem` assigns the statuses.

use model::{
    CancelRefusal, CreateRefusal, GrantRefusal, InvalidToken, KeyRetireRefusal, KeyRotateRefusal,
    LeaseRefusal, OperateRefusal, RedeemRefusal, RegisterRefusal, SignalRefusal, SuspendRefusal,
    WaitpointRefusal, WorkerRefusal,
};

use super::problem::{Code, Problem};

impl From<CreateRefusal> for Problem {
    fn from(refusal: CreateRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            CreateRefusal::IdempotencyConflict { existing } => {
                Self::new(Code::IdempotencyConflict, detail).with("existing", existing.to_string())
            }
            CreateRefusal::UnknownKind(kind) => {
                Self::new(Code::UnknownKind, detail).with("kind", kind)
            }
            CreateRefusal::LaneDisabled { lane, state } => Self::new(Code::LaneDisabled, detail)
                .with("lane", lane)
                .with("state", state.as_str()),
            CreateRefusal::IdConflict { id } => {
                Self::new(Code::IdConflict, detail).with("id", id.to_string())
            }
            CreateRefusal::NotOffered { field } => {
                Self::new(Code::NotOffered, detail).with("field", field)
            }
            CreateRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<CancelRefusal> for Problem {
    fn from(refusal: CancelRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            CancelRefusal::ExecutionNotFound => Self::new(Code::ExecutionNotFound, detail),
            CancelRefusal::ExecutionNotActive { outcome } => {
                Self::new(Code::ExecutionNotActive, detail).with("outcome", outcome.as_str())
            }
            CancelRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<LeaseRefusal> for Problem {
    fn from(refusal: LeaseRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            LeaseRefusal::ExecutionNotFound => Self::new(Code::ExecutionNotFound, detail),
            LeaseRefusal::ExecutionNotActive {
                state,
                outcome,
                epoch,
            } => Self::new(Code::ExecutionNotActive, detail)
                .with("epoch", epoch)
                .in_state(state, outcome),
            LeaseRefusal::LeaseRevoked => Self::new(Code::LeaseRevoked, detail),
            LeaseRefusal::LeaseExpired => Self::new(Code::LeaseExpired, detail),
            LeaseRefusal::StaleLease => Self::new(Code::StaleLease, detail),
            LeaseRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<OperateRefusal> for Problem {
    fn from(refusal: OperateRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            OperateRefusal::ExecutionNotFound => Self::new(Code::ExecutionNotFound, detail),
            OperateRefusal::ExecutionNotActive { state, outcome } => {
                Self::new(Code::ExecutionNotActive, detail).in_state(state, outcome)
            }
            OperateRefusal::ExecutionNotEligible {
                state,
                outcome,
                reason,
            } => Self::new(Code::ExecutionNotEligible, detail)
                .with("blocking_reason", reason.as_str())
                .in_state(state, outcome),
            OperateRefusal::ExecutionNotTerminal { state } => {
                Self::new(Code::ExecutionNotTerminal, detail).in_state(state, None)
            }
            OperateRefusal::ExecutionNotSuspended { state, outcome } => {
                Self::new(Code::ExecutionNotSuspended, detail).in_state(state, outcome)
            }
            OperateRefusal::MaxReplaysExhausted { replays } => {
                Self::new(Code::MaxReplaysExhausted, detail).with("replays", replays)
            }
            OperateRefusal::NoActiveLease { state, outcome } => {
                Self::new(Code::NoActiveLease, detail).in_state(state, outcome)
            }
            OperateRefusal::StaleLease => Self::new(Code::StaleLease, detail),
            OperateRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<SuspendRefusal> for Problem {
    fn from(refusal: SuspendRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            SuspendRefusal::Lease(refusal) => refusal.into(),
            SuspendRefusal::WaitpointAlreadyExists { key } => {
                Self::new(Code::WaitpointAlreadyExists, detail).with("waitpoint_key", key)
            }
            SuspendRefusal::WaitpointNotFound => Self::new(Code::WaitpointNotFound, detail),
            SuspendRefusal::WaitpointNotPending { state } => {
                Self::new(Code::WaitpointNotPending, detail).with("waitpoint_state", state.as_str())
            }
            SuspendRefusal::PendingWaitpointExpired => {
                Self::new(Code::PendingWaitpointExpired, detail)
            }
            SuspendRefusal::WaitpointLimitExceeded { max } => {
                Self::new(Code::WaitpointLimitExceeded, detail).with("max", max)
            }
        }
    }
}

impl From<InvalidToken> for Problem {
    fn from(refusal: InvalidToken) -> Self {
        Self::new(Code::InvalidToken, refusal.to_string())
    }
}

impl From<SignalRefusal> for Problem {
    fn from(refusal: SignalRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            SignalRefusal::InvalidToken(refusal) => refusal.into(),
            SignalRefusal::ExecutionNotFound => Self::new(Code::ExecutionNotFound, detail),
            SignalRefusal::WaitpointNotFound => Self::new(Code::WaitpointNotFound, detail),
            SignalRefusal::WaitpointAmbiguous { open } => {
                Self::new(Code::WaitpointAmbiguous, detail).with("open", open)
            }
            SignalRefusal::TargetNotSignalable { outcome } => {
                Self::new(Code::TargetNotSignalable, detail).with("outcome", outcome.as_str())
            }
            SignalRefusal::WaitpointClosed { reason } => {
                Self::new(Code::WaitpointClosed, detail).with("close_reason", reason.as_str())
            }
            SignalRefusal::SignalLimitExceeded { max } => {
                Self::new(Code::SignalLimitExceeded, detail).with("max", max)
            }
            SignalRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<WaitpointRefusal> for Problem {
    fn from(refusal: WaitpointRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            WaitpointRefusal::ExecutionNotFound => Self::new(Code::ExecutionNotFound, detail),
            WaitpointRefusal::WaitpointNotFound => Self::new(Code::WaitpointNotFound, detail),
            WaitpointRefusal::WaitpointAmbiguous { open } => {
                Self::new(Code::WaitpointAmbiguous, detail).with("open", open)
            }
            WaitpointRefusal::WaitpointClosed { reason } => {
                Self::new(Code::WaitpointClosed, detail).with("close_reason", reason.as_str())
            }
            WaitpointRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<RegisterRefusal> for Problem {
    fn from(refusal: RegisterRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            RegisterRefusal::InstanceReassigned => Self::new(Code::InstanceReassigned, detail),
            RegisterRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<WorkerRefusal> for Problem {
    fn from(refusal: WorkerRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            WorkerRefusal::NotRegistered => Self::new(Code::NotRegistered, detail),
            WorkerRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<GrantRefusal> for Problem {
    fn from(refusal: GrantRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            GrantRefusal::ExecutionNotFound => Self::new(Code::ExecutionNotFound, detail),
            GrantRefusal::ExecutionNotEligible(_) => Self::new(Code::ExecutionNotEligible, detail),
            GrantRefusal::NotReclaimable(_) => Self::new(Code::NotReclaimable, detail),
            GrantRefusal::ReclaimCapExceeded { reclaim_count } => {
                Self::new(Code::ReclaimCapExceeded, detail).with("reclaim_count", reclaim_count)
            }
            GrantRefusal::GrantAlreadyExists { .. } => Self::new(Code::GrantAlreadyExists, detail),
            GrantRefusal::CapabilityMismatch { missing } => {
                Self::new(Code::CapabilityMismatch, detail).with("missing", missing)
            }
            GrantRefusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<RedeemRefusal> for Problem {
    fn from(refusal: RedeemRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            RedeemRefusal::InvalidClaimGrant(_) => Self::new(Code::InvalidClaimGrant, detail),
            RedeemRefusal::ClaimGrantExpired => Self::new(Code::ClaimGrantExpired, detail),
            RedeemRefusal::CapabilityMismatch => Self::new(Code::CapabilityMismatch, detail),
            RedeemRefusal::GrantNotFound(_) => Self::new(Code::GrantNotFound, detail),
            RedeemRefusal::NotReclaimable(_) => Self::new(Code::NotReclaimable, detail),
            RedeemRefusal::ReclaimCapExceeded { reclaim_count } => {
                Self::new(Code::ReclaimCapExceeded, detail).with("reclaim_count", reclaim_count)
            }
        }
    }
}

impl From<KeyRotateRefusal> for Problem {
    fn from(refusal: KeyRotateRefusal) -> Self {
        let code = match refusal {
            KeyRotateRefusal::InvalidKid(_) => Code::InvalidKid,
            KeyRotateRefusal::InvalidSecretHex => Code::InvalidSecretHex,
            KeyRotateRefusal::InvalidGraceMs(_) => Code::InvalidGraceMs,
            KeyRotateRefusal::RotationConflict(_) => Code::RotationConflict,
            KeyRotateRefusal::TooManyKeys => Code::TooManyKeys,
            KeyRotateRefusal::Invalid(invalid) => return invalid.into(),
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<KeyRetireRefusal> for Problem {
    fn from(refusal: KeyRetireRefusal) -> Self {
        let code = match refusal {
            KeyRetireRefusal::KeyNotFound(_) => Code::WaitpointKeyNotFound,
            KeyRetireRefusal::KeyActive(_) => Code::WaitpointKeyActive,
            KeyRetireRefusal::Invalid(invalid) => return invalid.into(),
        };
        Self::new(code, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{
        ExecutionId, Invalid, LaneState, Outcome, StateKind, WaitpointCloseReason, WaitpointState,
    };

    #[test]
    fn refusals_keep_their_codes() {
        let refusals = [
            CreateRefusal::UnknownKind("k".into()),
            CreateRefusal::LaneDisabled {
                lane: "l".into(),
                state: LaneState::Draining,
            },
            CreateRefusal::IdConflict {
                id: ExecutionId::from_uuid(uuid::Uuid::nil()),
            },
            CreateRefusal::NotOffered {
                field: "policy.budget_ids",
            },
            CreateRefusal::Invalid(Invalid::new("kind", "is wrong")),
        ];
        for refusal in refusals {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        for refusal in [
            LeaseRefusal::ExecutionNotFound,
            LeaseRefusal::LeaseRevoked,
            LeaseRefusal::LeaseExpired,
            LeaseRefusal::StaleLease,
            LeaseRefusal::ExecutionNotActive {
                state: StateKind::Waiting,
                outcome: None,
                epoch: 1,
            },
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        for refusal in [
            GrantRefusal::ExecutionNotFound,
            GrantRefusal::ExecutionNotEligible(String::new()),
            GrantRefusal::NotReclaimable(String::new()),
            GrantRefusal::ReclaimCapExceeded { reclaim_count: 1 },
            GrantRefusal::GrantAlreadyExists {
                worker_instance_id: "w".into(),
            },
            GrantRefusal::CapabilityMismatch {
                missing: vec!["gpu".into()],
            },
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        for refusal in [
            RedeemRefusal::InvalidClaimGrant(String::new()),
            RedeemRefusal::ClaimGrantExpired,
            RedeemRefusal::GrantNotFound(String::new()),
            RedeemRefusal::NotReclaimable(String::new()),
            RedeemRefusal::ReclaimCapExceeded { reclaim_count: 1 },
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        for refusal in [
            SuspendRefusal::Lease(LeaseRefusal::StaleLease),
            SuspendRefusal::WaitpointAlreadyExists { key: "a".into() },
            SuspendRefusal::WaitpointNotFound,
            SuspendRefusal::WaitpointNotPending {
                state: WaitpointState::Closed,
            },
            SuspendRefusal::PendingWaitpointExpired,
            SuspendRefusal::WaitpointLimitExceeded { max: 256 },
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        let reason = WaitpointCloseReason::Resumed;
        for refusal in [
            SignalRefusal::InvalidToken(InvalidToken),
            SignalRefusal::ExecutionNotFound,
            SignalRefusal::WaitpointNotFound,
            SignalRefusal::WaitpointAmbiguous { open: 2 },
            SignalRefusal::TargetNotSignalable {
                outcome: Outcome::Success,
            },
            SignalRefusal::WaitpointClosed { reason },
            SignalRefusal::SignalLimitExceeded { max: 1 },
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        for refusal in [
            WaitpointRefusal::ExecutionNotFound,
            WaitpointRefusal::WaitpointNotFound,
            WaitpointRefusal::WaitpointAmbiguous { open: 2 },
            WaitpointRefusal::WaitpointClosed { reason },
        ] {
            let code = refusal.code();
            assert_eq!(Problem::from(refusal).code.as_str(), code);
        }
        let code = RegisterRefusal::InstanceReassigned.code();
        let problem = Problem::from(RegisterRefusal::InstanceReassigned);
        assert_eq!(problem.code.as_str(), code);
        let code = WorkerRefusal::NotRegistered.code();
        let problem = Problem::from(WorkerRefusal::NotRegistered);
        assert_eq!(problem.code.as_str(), code);
        let code = CancelRefusal::ExecutionNotFound.code();
        assert_eq!(
            Problem::from(CancelRefusal::ExecutionNotFound)
                .code
                .as_str(),
            code
        );
    }
}
