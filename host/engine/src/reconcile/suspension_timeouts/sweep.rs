//! Finds suspensions past their timeout and ends each as its timeout behavior says.
//!
//! Events: `failed`, `cancelled`, `execution_expired`, `resumed`, `escalated`.

use model::{
    CancelSource, EngineCode, ExecutionId, Outcome, Partition, SuspensionCloseReason, SuspensionId,
    TimeoutBehavior,
};
use uuid::Uuid;

use crate::execution::{FinishCall, FinishGuard};
use crate::reconcile::sweeps::SWEEP_MAX;
use crate::row::{label, readable};
use crate::signal::{DeliverCall, DeliverVerdict, Resume};
use crate::{Engine, Error};

/// A suspension past its timeout.
#[derive(Debug)]
pub(crate) struct Due {
    execution_id: ExecutionId,
    suspension: SuspensionId,
    behavior: TimeoutBehavior,
}

impl Engine {
    /// Ends suspensions past their timeout, or asks an operator; returns their number.
    pub(crate) async fn suspension_timeouts(&self) -> Result<u64, Error> {
        let mut ended = 0;
        for partition in self.instance().partitions.all() {
            ended += self.suspension_timeouts_of(partition).await?;
        }
        Ok(ended)
    }

    /// Finds suspensions past their timeout.
    pub(crate) async fn due_suspensions(&self, partition: Partition) -> Result<Vec<Due>, Error> {
        let rows = sqlx::query_file!(
            "src/reconcile/suspension_timeouts/suspension_timeouts.sql",
            partition.column(),
            SWEEP_MAX
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let due = rows.into_iter().filter_map(|row| {
            let of = row.suspension_id;
            let behavior = label("suspension", "timeout_behavior", of, &row.timeout_behavior);
            Some(Due {
                execution_id: ExecutionId::from_uuid(row.execution_id),
                suspension: SuspensionId(of),
                behavior: readable(behavior)?,
            })
        });
        Ok(due.collect())
    }

    async fn suspension_timeouts_of(&self, partition: Partition) -> Result<u64, Error> {
        let (mut finish, mut resume, mut escalate) = (Vec::new(), Vec::new(), Vec::new());
        for due in self.due_suspensions(partition).await? {
            let Due {
                execution_id: id,
                suspension,
                behavior,
            } = due;
            match SuspensionCloseReason::of_timeout(behavior) {
                None => escalate.push((id.uuid(), suspension.0)),
                Some(reason) if reason.resumes() => resume.push(DeliverCall::resume(
                    id,
                    Resume {
                        reason,
                        suspension,
                        only_due: true,
                        delay_ms: None,
                        operation: None,
                    },
                )),
                Some(reason) => finish.push(timed_out(id, suspension, reason)),
            }
        }
        let mut ended = self.escalate(partition, escalate).await?;
        ended += self.finish_all(finish).await?;
        for verdict in self.inner.batchers.deliver.call_all(resume).await {
            match verdict? {
                DeliverVerdict::Resume(true) => ended += 1,
                DeliverVerdict::Unreadable(error) => {
                    readable::<()>(Err(error));
                }
                _ => {}
            }
        }
        Ok(ended)
    }

    async fn escalate(&self, partition: Partition, due: Vec<(Uuid, Uuid)>) -> Result<u64, Error> {
        if due.is_empty() {
            return Ok(0);
        }
        let mut due = due;
        due.sort_unstable();
        let (ids, suspensions): (Vec<Uuid>, Vec<Uuid>) = due.into_iter().unzip();
        let escalated = sqlx::query_file_scalar!(
            "src/reconcile/suspension_timeouts/escalate.sql",
            partition.column(),
            &ids,
            &suspensions
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        Ok(escalated.len() as u64)
    }
}

fn timed_out(
    id: ExecutionId,
    suspension: SuspensionId,
    reason: SuspensionCloseReason,
) -> FinishCall {
    let outcome = match reason {
        SuspensionCloseReason::TimedOutCancel => Outcome::Cancelled,
        SuspensionCloseReason::TimedOutExpire => Outcome::Expired,
        _ => Outcome::Failed,
    };
    FinishCall {
        id,
        guard: FinishGuard::TimedOut(suspension),
        outcome,
        code: EngineCode::SuspensionTimeout,
        message: Some("what the execution waited for did not come in time".to_owned()),
        source: CancelSource::SystemTimeout,
        close_reason: reason,
        operation: None,
    }
}
