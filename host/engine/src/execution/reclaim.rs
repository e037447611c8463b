//! reclaim: active without its holder's consent → waiting, or failed at the cap.
//!
//! The next attempt is a new one of type `reclaim`; such ends count, so an
//! execution that kills its host ends at its reclaim cap. The epoch grows, so
//! the last holder can write no more. Event: `expired`, `revoked` or `failed`.

use model::{AttemptEnd, AttemptType, EventKind, Failure, FailureClass, Fence, Outcome};

use super::{Condition, Goes, ReleaseCall, Report};

/// Builds the end of a lease that lapsed or was taken away.
pub(crate) fn lost(
    fence: Fence,
    condition: Condition,
    ended: AttemptEnd,
    at_cap: bool,
) -> ReleaseCall {
    let (code, why, event) = if ended == AttemptEnd::LeaseRevoked {
        (
            "lease_revoked",
            "an operator took the lease away",
            EventKind::Revoked,
        )
    } else {
        (
            "lease_expired",
            "the lease lapsed: its host died or was cut off",
            EventKind::Expired,
        )
    };
    let (goes, failure, event) = if at_cap {
        let failure = Failure::new(
            FailureClass::InfraCrash,
            "max_reclaims_exceeded",
            format!("{why}, once more than the policy allows"),
        );
        let goes = Goes::Finished {
            outcome: Outcome::Failed,
            result: None,
            source: Some("reconciler".to_owned()),
        };
        (goes, failure, EventKind::Failed)
    } else {
        let goes = Goes::Ready {
            next_type: AttemptType::Reclaim,
            reclaims_add: 1,
        };
        (
            goes,
            Failure::new(FailureClass::InfraCrash, code, why),
            event,
        )
    };
    ReleaseCall {
        fence,
        condition,
        ended,
        goes,
        involuntary: true,
        failure: Some(failure),
        report: Report::default(),
        event,
        operation: None,
    }
}
