//! resume: suspended → waiting or delayed, although the condition is not satisfied.
//!
//! Written by [`crate::signal`], where a signal, a time limit and an operator that meet end
//! a suspension once. Event: `resumed`.

use model::{OperateRefusal, SuspensionCloseReason};

use crate::checks::delay;
use crate::operate::{Operate, Operation};
use crate::operator::CurrentState;
use crate::row::count;
use crate::signal::{DeliverCall, DeliverVerdict, Resume};
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine, Error};

impl Engine {
    /// Resumes a suspended execution although its condition is not satisfied, after this
    /// delay in milliseconds, or else after that of its resume policy. A repeat by the same
    /// operator succeeds again until the execution is suspended again.
    ///
    /// # Refusals
    /// `execution_not_suspended` unless it is suspended.
    pub async fn resume(
        &self,
        operate: Operate,
        delay_ms: Option<u64>,
    ) -> Result<(), Declined<OperateRefusal>> {
        operate.by.check()?;
        delay(delay_ms.unwrap_or_default())?;
        for _ in 0..TRIES {
            let namespace = operate.namespace.as_deref();
            let place = self.current_state(operate.id, namespace).await?;
            let place = place.ok_or(OperateRefusal::ExecutionNotFound)?;
            let Some(suspension) = place.suspension else {
                if self.resumed_before(&operate, delay_ms, &place).await? {
                    return Ok(());
                }
                let (state, outcome) = (place.state, place.outcome);
                return Err(OperateRefusal::ExecutionNotSuspended { state, outcome }.into());
            };
            let resume = Resume {
                reason: SuspensionCloseReason::OperatorResume,
                suspension,
                only_due: false,
                delay_ms,
                operation: Some(Operation {
                    verb: "resume",
                    by: operate.by.clone(),
                }),
            };
            let call = DeliverCall::resume(operate.id, resume);
            match self.inner.batchers.deliver.call(call).await? {
                DeliverVerdict::Resume(true) => return Ok(()),
                // A signal, a time limit or another operator resumed it first.
                DeliverVerdict::Resume(false) => {}
                DeliverVerdict::Unreadable(error) => return Err(error.into()),
                DeliverVerdict::Signal(_) | DeliverVerdict::Conflict => break,
            }
        }
        Err(conflict(operate.id).into())
    }

    /// Whether the same request ended the last suspension since the last replay.
    async fn resumed_before(
        &self,
        operate: &Operate,
        delay_ms: Option<u64>,
        place: &CurrentState,
    ) -> Result<bool, Error> {
        let last = self.last_operation(operate.id, &["resume"]).await?;
        if !last.is_some_and(|last| {
            last.by == operate.by && last.detail == Resume::operation_detail(delay_ms)
        }) {
            return Ok(false);
        }
        let id = operate.id;
        let ended = sqlx::query!(
            "SELECT s.close_reason, s.replays FROM suspension s
             WHERE s.partition = $1 AND s.execution_id = $2 ORDER BY s.seq DESC LIMIT 1",
            id.partition().column(),
            id.uuid(),
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        Ok(ended.is_some_and(|it| {
            let reason = SuspensionCloseReason::OperatorResume.as_str();
            it.close_reason.as_deref() == Some(reason) && count(it.replays) == place.replays
        }))
    }
}
