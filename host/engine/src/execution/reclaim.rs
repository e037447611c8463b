//! reclaim: active without its holder's consent → waiting, or failed at the cap.
//!
//! The next attempt is a new one of type `reclaim`; such ends count, so an
//! execution that kills its host ends at its reclaim cap. The epoch grows, so
//! the last holder can write no more. Event: `expired`, `revoked` or `failed`.

use model::{
    AttemptEnd, AttemptType, CancelSource, EngineCode, EventKind, Failure, Fence, Outcome,
};

use super::{Condition, Goes, ReleaseCall, Report};

/// Builds the end of a lease that lapsed.
pub(crate) fn lapsed(fence: Fence, at_cap: bool) -> ReleaseCall {
    let why = "the lease lapsed: its host died or was cut off";
    lost(fence, AttemptEnd::LeaseExpired, why, at_cap)
}

/// Builds the end of a lease that is taken away.
pub(crate) fn revoked(fence: Fence, why: &str, at_cap: bool) -> ReleaseCall {
    lost(fence, AttemptEnd::LeaseRevoked, why, at_cap)
}

fn lost(fence: Fence, ended: AttemptEnd, why: &str, at_cap: bool) -> ReleaseCall {
    let (condition, event, source, code) = match ended {
        AttemptEnd::LeaseRevoked => (
            Condition::Any,
            EventKind::Revoked,
            CancelSource::OperatorOverride,
            EngineCode::LeaseRevoked,
        ),
        _ => (
            Condition::Lapsed,
            EventKind::Expired,
            CancelSource::SystemTimeout,
            EngineCode::LeaseExpired,
        ),
    };
    let (goes, failure, event) = if at_cap {
        let failure = Failure::by_engine(
            EngineCode::MaxReclaimsExceeded,
            format!("{why}, once more than the policy allows"),
        );
        let goes = Goes::Finished {
            outcome: Outcome::Failed,
            result: None,
            source: Some(source.to_string()),
        };
        (goes, failure, EventKind::Failed)
    } else {
        let goes = Goes::Ready {
            next_type: AttemptType::Reclaim,
            reclaims_add: 1,
        };
        (goes, Failure::by_engine(code, why), event)
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
