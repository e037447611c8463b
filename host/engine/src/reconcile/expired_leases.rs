//! expired_leases: active with a lapsed lease → waiting, or failed at the cap.
//!
//! The next attempt is a new one of type `reclaim`; deaths of hosts count, so an
//! execution that kills its host ends at its reclaim cap. The epoch grows, so
//! the last holder can write no more. Event: `expired` or `failed`.

use model::{
    AttemptEnd, AttemptType, EventKind, ExecutionId, Failure, FailureClass, Fence, LeaseId, Outcome,
};

use super::SWEEP_MAX;
use crate::execution::{Condition, Goes, ReleaseCall, Report};
use crate::{Engine, Error};

/// Code of the failure of an execution that was lost too often.
pub(crate) const RECLAIM_CAP: &str = "max_reclaims_exceeded";

impl Engine {
    /// Takes back executions whose lease lapsed; returns how many.
    pub(crate) async fn expired_leases(&self) -> Result<u64, Error> {
        let rows = sqlx::query!(
            r#"SELECT l.execution_id, l.lease_id, l.epoch, l.attempt, l.reclaims, e.max_reclaims
               FROM lease l
               CROSS JOIN LATERAL (
                   SELECT e.* FROM execution e
                   WHERE e.partition = l.partition AND e.id = l.execution_id OFFSET 0
               ) AS e
               WHERE l.expires_at <= clock_timestamp()
               LIMIT $1"#,
            SWEEP_MAX
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let calls = rows
            .into_iter()
            .map(|row| {
                let fence = Fence {
                    execution_id: ExecutionId::from_uuid(row.execution_id),
                    lease_id: LeaseId(row.lease_id),
                    epoch: row.epoch.unsigned_abs(),
                    attempt: row.attempt.unsigned_abs(),
                };
                lapsed(fence, row.reclaims >= row.max_reclaims)
            })
            .collect();
        let verdicts = self.inner.release.call_all(calls).await;
        count_applied(verdicts)
    }
}

/// Builds the end of a lease that has lapsed.
pub(crate) fn lapsed(fence: Fence, at_cap: bool) -> ReleaseCall {
    let failure = Failure::new(
        FailureClass::InfraCrash,
        "lease_expired",
        "the lease lapsed: its host died or was cut off",
    );
    lost(
        fence,
        at_cap,
        Condition::Lapsed,
        AttemptEnd::LeaseExpired,
        failure,
        EventKind::Expired,
    )
}

/// Builds the end of a lease that was lost to its holder: the execution is ready
/// to be reclaimed, or has failed at its cap.
pub(crate) fn lost(
    fence: Fence,
    at_cap: bool,
    condition: Condition,
    ended: AttemptEnd,
    failure: Failure,
    event: EventKind,
) -> ReleaseCall {
    let source = if condition == Condition::Any {
        "operator"
    } else {
        "reconciler"
    };
    let (goes, failure, event) = if at_cap {
        let failure = Failure::new(
            FailureClass::InfraCrash,
            RECLAIM_CAP,
            "the lease was lost once more than the policy allows: each host that ran the execution died or was cut off",
        );
        let goes = Goes::Finished {
            outcome: Outcome::Failed,
            result: None,
            source: Some(source.to_owned()),
        };
        (goes, failure, EventKind::Failed)
    } else {
        let goes = Goes::Ready {
            next_type: AttemptType::Reclaim,
            reclaims_add: 1,
        };
        (goes, failure, event)
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
    }
}

/// Counts the calls that took effect; a refusal means that somebody else acted
/// first.
pub(super) fn count_applied<T, R>(
    verdicts: Vec<Result<Result<T, R>, Error>>,
) -> Result<u64, Error> {
    let mut applied = 0;
    for verdict in verdicts {
        if verdict?.is_ok() {
            applied += 1;
        }
    }
    Ok(applied)
}
