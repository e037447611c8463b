//! Why a write under a fence matched nothing: the probe that follows, and the refusal
//! it leads to.

use crate::{Fence, LeaseRefusal, Limits, Outcome, StateKind};

impl Limits {
    /// Bounds of a lease's time to live, in milliseconds.
    pub const LEASE_TTL_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;
    /// Most executions of one claim over HTTP, whose answer holds all their inputs.
    pub const CLAIM_MAX: u32 = 100;
    /// Most leases that one request may name.
    pub const LEASES_MAX: usize = 500;
    /// Most bytes of log that a native worker may send with the end of a lease.
    pub const LOG_BYTES_MAX: usize = 64 << 10;
}

/// What a probe found after a guarded write matched nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// No such execution.
    Missing,
    /// The execution runs.
    Active {
        /// The fence it runs under.
        fence: Fence,
        /// Whether that lease has expired by the database's clock.
        expired: bool,
    },
    /// The execution does not run.
    NotActive {
        /// The state it is in.
        state: StateKind,
        /// How it ended; absent unless it is finished.
        outcome: Option<Outcome>,
        /// The present epoch of the execution.
        epoch: u64,
        /// Whether the caller's lease was revoked.
        revoked: bool,
        /// Whether the caller's lease expired and was taken back.
        lapsed: bool,
    },
}

impl Observed {
    /// Whether a write that carries `fence` would be accepted now, although it
    /// matched nothing: the lease was renewed between the write and the probe.
    /// `lapsed_too` is for writes that are accepted under an expired lease as well.
    pub fn holds(&self, fence: &Fence, lapsed_too: bool) -> bool {
        matches!(self, Self::Active { fence: held, expired } if held == fence && (lapsed_too || !expired))
    }

    /// Names the refusal of a write that carried `fence`.
    ///
    /// The order is fixed: not active, revoked, expired, stale. A caller whose
    /// own lease was revoked or expired gets that refusal, since that is why the
    /// execution is not active for it.
    pub fn refusal(&self, fence: &Fence) -> LeaseRefusal {
        match self {
            Self::Missing => LeaseRefusal::ExecutionNotFound,
            Self::NotActive { revoked: true, .. } => LeaseRefusal::LeaseRevoked,
            Self::NotActive { lapsed: true, .. } => LeaseRefusal::LeaseExpired,
            Self::NotActive {
                state,
                outcome,
                epoch,
                ..
            } => LeaseRefusal::ExecutionNotActive {
                state: *state,
                outcome: *outcome,
                epoch: *epoch,
            },
            Self::Active { fence: held, .. } if held != fence => LeaseRefusal::StaleLease,
            Self::Active { expired: true, .. } => LeaseRefusal::LeaseExpired,
            // The lease holds, and the writer tries again; see `holds`.
            Self::Active { .. } => LeaseRefusal::StaleLease,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExecutionId, LeaseId, Partition};
    use uuid::Uuid;

    fn fence(epoch: u64) -> Fence {
        Fence {
            execution_id: ExecutionId::from_parts(Partition::new(0).expect("zero"), 1, 1),
            lease_id: LeaseId(Uuid::from_u128(7)),
            epoch,
            attempt: 0,
        }
    }

    #[test]
    fn a_refusal_names_the_first_broken_condition() {
        let not_active = |revoked, lapsed| Observed::NotActive {
            state: StateKind::Waiting,
            outcome: None,
            epoch: 4,
            revoked,
            lapsed,
        };
        let cases = [
            (Observed::Missing, "execution_not_found"),
            (not_active(false, false), "execution_not_active"),
            (not_active(true, false), "lease_revoked"),
            (not_active(false, true), "lease_expired"),
            (
                Observed::Active {
                    fence: fence(3),
                    expired: true,
                },
                "lease_expired",
            ),
            (
                Observed::Active {
                    fence: fence(4),
                    expired: true,
                },
                "stale_lease",
            ),
        ];
        for (observed, code) in cases {
            assert_eq!(observed.refusal(&fence(3)).code(), code, "{observed:?}");
        }
    }
}
