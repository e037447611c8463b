//! Grants: promises of a ready execution to one worker, made by a scheduler
//! outside and turned into a lease by the worker.

use crate::Limits;
use crate::wire::named;
use crate::{Invalid, Outcome, StateKind};

impl Limits {
    /// Bounds of a grant's time to live, in milliseconds.
    pub const GRANT_TTL_MS: std::ops::RangeInclusive<u32> = 1..=60_000;
}

named! {
    /// What a grant may be turned into.
    pub enum GrantKind ("grant kind") {
        /// A lease on an execution that waits.
        Claim = "claim",
        /// A lease on an execution whose last holder was lost.
        Reclaim = "reclaim",
    }
}

/// Why a grant was not issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// It does not wait for a worker, or its lane does not serve.
    #[error("the execution cannot be claimed now: {0}")]
    ExecutionNotEligible(String),
    /// Its last holder was not lost.
    #[error("the execution cannot be reclaimed: {0}")]
    NotReclaimable(String),
    /// It was lost as often as its policy allows, and has failed.
    #[error("the execution was lost {reclaim_count} times, as often as its policy allows")]
    ReclaimCapExceeded {
        /// How often.
        reclaim_count: u32,
    },
    /// Another grant on it has not lapsed.
    #[error("the execution is granted to worker `{worker_instance_id}`")]
    GrantAlreadyExists {
        /// To whom.
        worker_instance_id: String,
    },
    /// It requires what the worker does not offer.
    #[error("the worker lacks {}", missing.join(","))]
    CapabilityMismatch {
        /// What, sorted.
        missing: Vec<String>,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl GrantRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ExecutionNotFound => "execution_not_found",
            Self::ExecutionNotEligible(_) => "execution_not_eligible",
            Self::NotReclaimable(_) => "not_reclaimable",
            Self::ReclaimCapExceeded { .. } => "reclaim_cap_exceeded",
            Self::GrantAlreadyExists { .. } => "grant_already_exists",
            Self::CapabilityMismatch { .. } => "capability_mismatch",
            Self::Invalid(_) => "invalid_input",
        }
    }
}

/// Why a grant was not turned into a lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedeemRefusal {
    /// It is no claim grant of this instance, was used, or its execution does
    /// not wait any more.
    #[error("that is no claim grant that can be used: {0}")]
    InvalidClaimGrant(String),
    /// It lapsed.
    #[error("the claim grant has expired")]
    ClaimGrantExpired,
    /// The worker offers something else than what the grant was issued for.
    #[error("the grant was issued for other capabilities than the worker's; ask for another")]
    CapabilityMismatch,
    /// It is no reclaim grant of this instance, was used or lapsed.
    #[error("there is no such reclaim grant: {0}")]
    GrantNotFound(String),
    /// The execution does not wait to be reclaimed any more.
    #[error("the execution cannot be reclaimed: {0}")]
    NotReclaimable(String),
    /// The execution was lost as often as its policy allows, and has failed.
    #[error("the execution was lost {reclaim_count} times, as often as its policy allows")]
    ReclaimCapExceeded {
        /// How often.
        reclaim_count: u32,
    },
}

impl RedeemRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidClaimGrant(_) => "invalid_claim_grant",
            Self::ClaimGrantExpired => "claim_grant_expired",
            Self::CapabilityMismatch => "capability_mismatch",
            Self::GrantNotFound(_) => "grant_not_found",
            Self::NotReclaimable(_) => "not_reclaimable",
            Self::ReclaimCapExceeded { .. } => "reclaim_cap_exceeded",
        }
    }
}

/// What a second look found after a grant could be neither issued nor used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSight {
    /// What the execution does.
    pub state: StateKind,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// Whether it ended because it was lost too often.
    pub at_cap: bool,
    /// How often it was lost.
    pub reclaims: u32,
    /// Whether the next attempt follows a lost one.
    pub reclaimable: bool,
    /// Whether its lane serves.
    pub lane_serves: bool,
    /// To whom it is granted now.
    pub granted_to: Option<String>,
    /// What it requires that the worker does not offer, sorted.
    pub missing: Vec<String>,
}

impl GrantSight {
    /// Names the refusal to issue a grant of this kind.
    pub fn refusal(self, kind: GrantKind) -> GrantRefusal {
        let shown = self.shown();
        match kind {
            GrantKind::Reclaim if self.at_cap => GrantRefusal::ReclaimCapExceeded {
                reclaim_count: self.reclaims,
            },
            GrantKind::Reclaim if self.state != StateKind::Waiting || !self.reclaimable => {
                GrantRefusal::NotReclaimable(shown)
            }
            GrantKind::Claim if self.state != StateKind::Waiting => {
                GrantRefusal::ExecutionNotEligible(shown)
            }
            _ if !self.lane_serves => {
                GrantRefusal::ExecutionNotEligible("its lane does not serve".to_owned())
            }
            _ => match self.granted_to {
                Some(worker_instance_id) => GrantRefusal::GrantAlreadyExists { worker_instance_id },
                None if !self.missing.is_empty() => GrantRefusal::CapabilityMismatch {
                    missing: self.missing,
                },
                // Nothing stands in the way now: it moved between the two looks.
                None => GrantRefusal::ExecutionNotEligible("it moved; ask again".to_owned()),
            },
        }
    }

    /// Names the refusal to use a grant of this kind; `lapsed` tells whether its
    /// own time is over.
    pub fn redeem_refusal(self, kind: GrantKind, lapsed: bool) -> RedeemRefusal {
        let used = "it was used, or the execution waits on without it";
        match kind {
            GrantKind::Claim if lapsed => RedeemRefusal::ClaimGrantExpired,
            GrantKind::Claim if self.state != StateKind::Waiting => {
                RedeemRefusal::InvalidClaimGrant(self.shown())
            }
            GrantKind::Claim => RedeemRefusal::InvalidClaimGrant(used.to_owned()),
            GrantKind::Reclaim if self.at_cap => RedeemRefusal::ReclaimCapExceeded {
                reclaim_count: self.reclaims,
            },
            GrantKind::Reclaim if self.state != StateKind::Waiting || !self.reclaimable => {
                RedeemRefusal::NotReclaimable(self.shown())
            }
            GrantKind::Reclaim if lapsed => {
                RedeemRefusal::GrantNotFound("it has expired".to_owned())
            }
            GrantKind::Reclaim => RedeemRefusal::GrantNotFound(used.to_owned()),
        }
    }

    fn shown(&self) -> String {
        match (self.state, self.outcome) {
            (_, Some(outcome)) => format!("it has ended as {outcome}"),
            (StateKind::Waiting, None) => "it waits, but not because a holder was lost".to_owned(),
            (state, None) => format!("it is {state}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight() -> GrantSight {
        GrantSight {
            state: StateKind::Waiting,
            outcome: None,
            at_cap: false,
            reclaims: 0,
            reclaimable: false,
            lane_serves: true,
            granted_to: None,
            missing: Vec::new(),
        }
    }

    #[test]
    fn a_refused_grant_names_the_first_obstacle() {
        let active = GrantSight {
            state: StateKind::Active,
            ..sight()
        };
        let mismatch = GrantSight {
            missing: vec!["gpu".into(), "tpu".into()],
            ..sight()
        };
        let granted = GrantSight {
            granted_to: Some("w".into()),
            missing: vec!["gpu".into()],
            ..sight()
        };
        let capped = GrantSight {
            state: StateKind::Terminal,
            outcome: Some(Outcome::Failed),
            at_cap: true,
            reclaims: 3,
            ..sight()
        };
        for (sight, kind, code) in [
            (active.clone(), GrantKind::Claim, "execution_not_eligible"),
            (active, GrantKind::Reclaim, "not_reclaimable"),
            (sight(), GrantKind::Reclaim, "not_reclaimable"),
            (mismatch.clone(), GrantKind::Claim, "capability_mismatch"),
            (granted, GrantKind::Claim, "grant_already_exists"),
            (capped.clone(), GrantKind::Reclaim, "reclaim_cap_exceeded"),
            (capped, GrantKind::Claim, "execution_not_eligible"),
        ] {
            assert_eq!(sight.clone().refusal(kind).code(), code, "{sight:?}");
        }
        assert!(
            mismatch
                .refusal(GrantKind::Claim)
                .to_string()
                .contains("gpu,tpu")
        );
    }

    #[test]
    fn a_grant_that_cannot_be_used_says_why() {
        for (lapsed, kind, code) in [
            (true, GrantKind::Claim, "claim_grant_expired"),
            (false, GrantKind::Claim, "invalid_claim_grant"),
            (true, GrantKind::Reclaim, "grant_not_found"),
        ] {
            let sight = GrantSight {
                reclaimable: true,
                ..sight()
            };
            assert_eq!(sight.redeem_refusal(kind, lapsed).code(), code);
        }
        assert_eq!(
            sight().redeem_refusal(GrantKind::Reclaim, false).code(),
            "not_reclaimable"
        );
    }
}
