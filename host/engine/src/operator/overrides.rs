//! Verbs of a holder done by an operator: complete, fail, delay, wait-children.
//!
//! The engine reads the fence first and ends the lease under it, so that one statement
//! serves both; the epoch grows, and the holder is notified that it lost the lease. That
//! statement also writes who asked and why into `operation`.

use model::{
    AttemptEnd, ExecutionId, ExecutionPolicy, Failure, Fence, FlowRefusal, Invalid, LeaseId,
    LeaseRefusal,
};
use time::OffsetDateTime;

use super::current_state::{CurrentState, Held};
use crate::checks::Payload;
use crate::flow::WaitFor;
use crate::lease::{Complete, Delay, Due, EndLease, Report, check_failure};
use crate::operate::{Operate, Operation};
use crate::row::{fence, label};
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine, Error};

impl Engine {
    /// Finishes a running execution with a result in place of its holder.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]. A repeat by the same operator with the same result succeeds
    /// again, as long as nothing else has happened to the execution.
    pub async fn complete_override(
        &self,
        operate: Operate,
        result: Payload,
    ) -> Result<(), Declined<LeaseRefusal>> {
        let complete = |fence| Complete {
            fence,
            result: result.clone(),
            report: Report::default(),
        };
        let max = self.limits().result_bytes_max;
        let end = |held: Held, _: &ExecutionPolicy| complete(held.fence).into_end(max);
        self.end_held("complete", operate, end).await?;
        Ok(())
    }

    /// Ends the attempt of a running execution as failed in place of its holder, and
    /// lets the retry policy decide; returns when the next attempt becomes due if there is
    /// one.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat is answered as one of `complete_override` is.
    pub async fn fail_override(
        &self,
        operate: Operate,
        failure: Failure,
    ) -> Result<Option<OffsetDateTime>, Declined<LeaseRefusal>> {
        self.end_held("fail", operate, |held, policy| {
            check_failure(&failure)?;
            let (failure, report) = (failure.clone(), Report::default());
            Ok(EndLease::failed(
                held.fence,
                failure,
                false,
                report,
                policy,
                held.retries,
            ))
        })
        .await
    }

    /// Delays a running execution in place of its holder, and returns when it becomes
    /// due; the same attempt resumes then.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat is answered as one of `complete_override` is.
    pub async fn delay_override(
        &self,
        operate: Operate,
        due: Due,
    ) -> Result<Option<OffsetDateTime>, Declined<LeaseRefusal>> {
        self.end_held("delay", operate, |held, _| {
            let delay = Delay {
                fence: held.fence,
                due,
                report: Report::default(),
            };
            delay.into_end()
        })
        .await
    }

    /// Has a running execution wait for its children in place of its holder; the same attempt
    /// resumes when so many of them have ended as is waited for, and at once without any.
    ///
    /// # Refusals
    /// As of [`Engine::wait_children`]; a repeat is answered as one of `complete_override` is.
    pub async fn wait_children_override(
        &self,
        operate: Operate,
        wait: &WaitFor,
    ) -> Result<(), Declined<FlowRefusal>> {
        let nothing = |held: Held, _: &ExecutionPolicy| {
            Ok(EndLease::waited_for_nothing(held.fence, Report::default()))
        };
        operate.by.check()?;
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let current = current.await?.ok_or(LeaseRefusal::ExecutionNotFound)?;
            let Some(held) = current.held else {
                let before = self.ended_before("wait_children", &operate, &current, nothing);
                before
                    .await
                    .map_err(|declined| declined.map(FlowRefusal::from))?;
                return Ok(());
            };
            match self
                .wait_children_in_place_of(held.fence, &operate.by, wait)
                .await?
            {
                Some(true) => return Ok(()),
                Some(false) => {}
                None => {
                    let ended = self.end_held("wait_children", operate, nothing).await;
                    ended.map_err(|declined| declined.map(FlowRefusal::from))?;
                    return Ok(());
                }
            }
        }
        Err(conflict(operate.id).into())
    }

    /// Ends the lease of an execution under the fence that it has.
    async fn end_held(
        &self,
        verb: &'static str,
        operate: Operate,
        end: impl Fn(Held, &ExecutionPolicy) -> Result<EndLease, Invalid>,
    ) -> Result<Option<OffsetDateTime>, Declined<LeaseRefusal>> {
        operate.by.check()?;
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let current = current.await?.ok_or(LeaseRefusal::ExecutionNotFound)?;
            let Some(held) = current.held else {
                return self.ended_before(verb, &operate, &current, end).await;
            };
            let call = end(held, &current.policy)?.by_operator(Operation {
                verb,
                by: operate.by.clone(),
            });
            // A refusal: the lease ended meanwhile, or another worker has it.
            if let Ok(due_at) = self.inner.batchers.end_lease.call(call).await? {
                return Ok(due_at);
            }
        }
        Err(conflict(operate.id).into())
    }

    /// Answers an operator who would end a lease where there is none: if the same
    /// request ended the last one, and nothing has happened since, as that was.
    async fn ended_before(
        &self,
        verb: &'static str,
        operate: &Operate,
        current: &CurrentState,
        end: impl Fn(Held, &ExecutionPolicy) -> Result<EndLease, Invalid>,
    ) -> Result<Option<OffsetDateTime>, Declined<LeaseRefusal>> {
        let refused = Err(current.not_active().into());
        let last = self.last_operation(operate.id, &[verb]).await?;
        if !last.is_some_and(|last| last.by == operate.by && last.epoch == Some(current.epoch)) {
            return refused;
        }
        let Some((fence, _)) = self.last_ended(operate.id, None).await? else {
            return refused;
        };
        let held = Held {
            fence,
            retries: 0,
            at_reclaim_cap: false,
        };
        let (Ok(call), Some(observation)) =
            (end(held, &current.policy), self.observe(fence).await?)
        else {
            return refused;
        };
        match observation.own_end {
            Some(own) if call.brought_about(&own, false) => Ok(own.due_at),
            _ => refused,
        }
    }

    /// Finds the last lease of an execution that ended, or a certain one, and how it did.
    pub(crate) async fn last_ended(
        &self,
        id: ExecutionId,
        lease_id: Option<LeaseId>,
    ) -> Result<Option<(Fence, AttemptEnd)>, Error> {
        let row = sqlx::query!(
            r#"SELECT a.lease_id AS "lease_id!", a.epoch AS "epoch!", a.attempt AS "attempt!",
                      a.ended::text AS "ended!"
               FROM ended_lease a
               WHERE a.partition = $1 AND a.execution_id = $2
                 AND ($3::uuid IS NULL OR a.lease_id = $3)
               ORDER BY a.epoch DESC LIMIT 1"#,
            id.partition().column(),
            id.uuid(),
            lease_id.map(|id| id.0),
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        row.map(|row| {
            let ended = label("attempt", "ended", id, &row.ended)?;
            Ok((
                fence(id.uuid(), row.lease_id, row.epoch, row.attempt),
                ended,
            ))
        })
        .transpose()
    }
}
