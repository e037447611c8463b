//! Grants: promises of a ready execution to one worker, issued to an external
//! scheduler and redeemed for a lease by the worker.

use crate::Limits;
use crate::wire::named;
use crate::{Invalid, Outcome, Refusal, RefusalCode, StateKind, Told};

impl Limits {
    /// Bounds of a grant's time to live, in milliseconds.
    pub const GRANT_TTL_MS: std::ops::RangeInclusive<u32> = 1..=60_000;
}

named! {
    /// What a grant may be redeemed for.
    pub enum GrantKind ("grant kind") {
        /// A lease on a waiting execution.
        Claim = "claim",
        /// A lease on an execution whose last lease was lost.
        Reclaim = "reclaim",
    }
}

/// Why a grant was not issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution does not wait for a worker, or its lane does not serve; the text
    /// says which.
    #[error("the execution cannot be claimed now: {0}")]
    ExecutionNotEligible(String),
    /// The last lease of the execution was not lost; the text says what it does.
    #[error("the execution cannot be reclaimed: {0}")]
    NotReclaimable(String),
    /// The execution lost as many leases as its policy allows, and has failed.
    #[error("the execution was lost {reclaim_count} times, as often as its policy allows")]
    ReclaimCapExceeded {
        /// The number of leases it lost.
        reclaim_count: u32,
    },
    /// Another grant on the execution has not expired.
    #[error("the execution is granted to worker `{worker_instance_id}`")]
    GrantAlreadyExists {
        /// The worker that holds it.
        worker_instance_id: String,
    },
    /// The execution requires capabilities that the worker does not offer.
    #[error("the worker lacks {}", missing.join(","))]
    CapabilityMismatch {
        /// The missing capabilities, sorted.
        missing: Vec<String>,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for GrantRefusal {
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::ExecutionNotEligible(_) => RefusalCode::ExecutionNotEligible.alone(),
            Self::NotReclaimable(_) => RefusalCode::NotReclaimable.alone(),
            Self::ReclaimCapExceeded { reclaim_count } => cap_exceeded(*reclaim_count),
            Self::GrantAlreadyExists { .. } => RefusalCode::GrantAlreadyExists.alone(),
            Self::CapabilityMismatch { missing } => {
                RefusalCode::CapabilityMismatch.with("missing", missing)
            }
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

fn cap_exceeded(reclaim_count: u32) -> Told {
    RefusalCode::ReclaimCapExceeded.with("reclaim_count", reclaim_count)
}

/// Why a grant was not turned into a lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedeemRefusal {
    /// The text is not a claim grant of this instance, the grant was used, or its
    /// execution does not wait any more.
    #[error("the claim grant is not valid: {0}")]
    InvalidClaimGrant(String),
    /// The grant has expired.
    #[error("the claim grant has expired")]
    ClaimGrantExpired,
    /// The worker offers other capabilities than those the grant was issued for.
    #[error("the grant was issued for other capabilities than the worker's; ask for another")]
    CapabilityMismatch,
    /// The text is not a reclaim grant of this instance, or the grant was used or has
    /// expired.
    #[error("the reclaim grant is not valid: {0}")]
    GrantNotFound(String),
    /// The execution does not wait to be reclaimed any more.
    #[error("the execution cannot be reclaimed: {0}")]
    NotReclaimable(String),
    /// The execution lost as many leases as its policy allows, and has failed.
    #[error("the execution was lost {reclaim_count} times, as often as its policy allows")]
    ReclaimCapExceeded {
        /// The number of leases it lost.
        reclaim_count: u32,
    },
}

impl Refusal for RedeemRefusal {
    fn told(&self) -> Told {
        match self {
            Self::InvalidClaimGrant(_) => RefusalCode::InvalidClaimGrant.alone(),
            Self::ClaimGrantExpired => RefusalCode::ClaimGrantExpired.alone(),
            Self::CapabilityMismatch => RefusalCode::CapabilityMismatch.alone(),
            Self::GrantNotFound(_) => RefusalCode::GrantNotFound.alone(),
            Self::NotReclaimable(_) => RefusalCode::NotReclaimable.alone(),
            Self::ReclaimCapExceeded { reclaim_count } => cap_exceeded(*reclaim_count),
        }
    }
}

/// What a probe found after a grant was neither issued nor redeemed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantProbe {
    /// The state of the execution.
    pub state: StateKind,
    /// How it ended; absent unless it is finished.
    pub outcome: Option<Outcome>,
    /// Whether it failed because it lost as many leases as its policy allows.
    pub at_cap: bool,
    /// The number of leases it lost.
    pub reclaims: u32,
    /// Whether its next attempt follows a lost lease.
    pub reclaimable: bool,
    /// Whether executions of its lane are claimed.
    pub lane_serves: bool,
    /// The worker that holds a grant on it; absent without one.
    pub granted_to: Option<String>,
    /// Capabilities it requires and the worker does not offer, sorted.
    pub missing: Vec<String>,
}

impl GrantProbe {
    /// Returns the refusal to issue a grant of this kind.
    pub fn refusal(self, kind: GrantKind) -> GrantRefusal {
        let state = self.describe();
        match kind {
            GrantKind::Reclaim if self.at_cap => GrantRefusal::ReclaimCapExceeded {
                reclaim_count: self.reclaims,
            },
            GrantKind::Reclaim if self.state != StateKind::Waiting || !self.reclaimable => {
                GrantRefusal::NotReclaimable(state)
            }
            GrantKind::Claim if self.state != StateKind::Waiting => {
                GrantRefusal::ExecutionNotEligible(state)
            }
            _ if !self.lane_serves => {
                GrantRefusal::ExecutionNotEligible("its lane does not serve".to_owned())
            }
            _ => match self.granted_to {
                Some(worker_instance_id) => GrantRefusal::GrantAlreadyExists { worker_instance_id },
                None if !self.missing.is_empty() => GrantRefusal::CapabilityMismatch {
                    missing: self.missing,
                },
                // The obstacle went away between the statement and the probe.
                None => GrantRefusal::ExecutionNotEligible(
                    "it changed at the same time; ask again".to_owned(),
                ),
            },
        }
    }

    /// Returns the refusal to redeem a grant of this kind; `lapsed` says whether the
    /// grant has expired.
    pub fn redeem_refusal(self, kind: GrantKind, lapsed: bool) -> RedeemRefusal {
        let used = "it was used, or the execution waits without it";
        match kind {
            GrantKind::Claim if lapsed => RedeemRefusal::ClaimGrantExpired,
            GrantKind::Claim if self.state != StateKind::Waiting => {
                RedeemRefusal::InvalidClaimGrant(self.describe())
            }
            GrantKind::Claim => RedeemRefusal::InvalidClaimGrant(used.to_owned()),
            GrantKind::Reclaim if self.at_cap => RedeemRefusal::ReclaimCapExceeded {
                reclaim_count: self.reclaims,
            },
            GrantKind::Reclaim if self.state != StateKind::Waiting || !self.reclaimable => {
                RedeemRefusal::NotReclaimable(self.describe())
            }
            GrantKind::Reclaim if lapsed => {
                RedeemRefusal::GrantNotFound("it has expired".to_owned())
            }
            GrantKind::Reclaim => RedeemRefusal::GrantNotFound(used.to_owned()),
        }
    }

    fn describe(&self) -> String {
        match (self.state, self.outcome) {
            (_, Some(outcome)) => format!("it has ended as {outcome}"),
            (StateKind::Waiting, None) => "it waits, but not because a lease was lost".to_owned(),
            (state, None) => format!("it is {state}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> GrantProbe {
        GrantProbe {
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
        let active = GrantProbe {
            state: StateKind::Active,
            ..probe()
        };
        let mismatch = GrantProbe {
            missing: vec!["gpu".into(), "tpu".into()],
            ..probe()
        };
        let granted = GrantProbe {
            granted_to: Some("w".into()),
            missing: vec!["gpu".into()],
            ..probe()
        };
        let capped = GrantProbe {
            state: StateKind::Terminal,
            outcome: Some(Outcome::Failed),
            at_cap: true,
            reclaims: 3,
            ..probe()
        };
        for (probe, kind, code) in [
            (active.clone(), GrantKind::Claim, "execution_not_eligible"),
            (active, GrantKind::Reclaim, "execution_not_reclaimable"),
            (probe(), GrantKind::Reclaim, "execution_not_reclaimable"),
            (mismatch.clone(), GrantKind::Claim, "capability_mismatch"),
            (granted, GrantKind::Claim, "grant_already_exists"),
            (capped.clone(), GrantKind::Reclaim, "reclaim_cap_exceeded"),
            (capped, GrantKind::Claim, "execution_not_eligible"),
        ] {
            assert_eq!(probe.clone().refusal(kind).code(), code, "{probe:?}");
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
            let probe = GrantProbe {
                reclaimable: true,
                ..probe()
            };
            assert_eq!(probe.redeem_refusal(kind, lapsed).code(), code);
        }
        assert_eq!(
            probe().redeem_refusal(GrantKind::Reclaim, false).code(),
            "execution_not_reclaimable"
        );
    }
}
