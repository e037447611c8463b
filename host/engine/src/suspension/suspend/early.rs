//! Suspensions that end before they begin: signals that were received early satisfy them.
//!
//! Locks: the waitpoints, then the lease row. No event.

use std::time::Duration;

use model::{SuspensionEnd, SuspensionId, TargetWaitpoint, TimeoutBehavior, WaitpointState};
use uuid::Uuid;

use super::bind::BoundWaitpoint;
use super::request::Suspend;
use crate::lease::Resumption;
use crate::signal::received_signals;
use crate::{Engine, Error};

/// Most repeats of a statement whose answer was lost.
const REPEATS_MAX: u32 = 4;

/// Whether signals that were received early satisfy the condition.
pub(super) enum EarlySatisfaction {
    Satisfied(Box<Resumption>),
    NotSatisfied,
    /// They do, but nothing was written: something has changed since they were read.
    Conflict,
}

impl Engine {
    /// Ends a suspension before it begins, if the signals that its pending waitpoints have
    /// received satisfy it.
    pub(super) async fn satisfied_early(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        bound: &[BoundWaitpoint],
    ) -> Result<EarlySatisfaction, Error> {
        let execution_id = suspend.fence.execution_id;
        let with_signals: Vec<Uuid> = bound
            .iter()
            .filter(|bound| bound.pending.is_some_and(|signals| signals > 0))
            .map(|bound| bound.id.0)
            .collect();
        if with_signals.is_empty() {
            return Ok(EarlySatisfaction::NotSatisfied);
        }
        let received = received_signals(&self.inner.verbs, execution_id, &with_signals).await?;
        let waitpoints: Vec<_> = bound
            .iter()
            .map(|bound| TargetWaitpoint {
                id: bound.id,
                key: bound.key.clone(),
                state: WaitpointState::Pending,
                close_reason: None,
            })
            .collect();
        let policy = suspend.resume_policy;
        let end = SuspensionEnd::immediate(&suspend.condition, policy, &waitpoints, &received);
        let Some(end) = end else {
            return Ok(EarlySatisfaction::NotSatisfied);
        };
        let mut repeats = 0;
        loop {
            match self.write_satisfied(suspend, id, bound, &end).await {
                Ok(false) => return Ok(EarlySatisfaction::Conflict),
                Ok(true) => break,
                // Whether it was written is unknown; the id of the suspension tells.
                Err(error) if error.is_unavailable() && repeats < REPEATS_MAX => {
                    repeats += 1;
                    tokio::time::sleep(Duration::from_millis(50 << repeats)).await;
                    if let Ok(Some(_)) = self.resumption_of(execution_id, id).await {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let resumption = self.resumption_of(execution_id, id).await?;
        Ok(match resumption {
            Some(resumption) => EarlySatisfaction::Satisfied(Box::new(resumption)),
            None => EarlySatisfaction::Conflict,
        })
    }

    /// Writes the suspension as one that is over; tells whether what it was decided on is
    /// still true.
    async fn write_satisfied(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        bound: &[BoundWaitpoint],
        end: &SuspensionEnd,
    ) -> Result<bool, Error> {
        let fence = suspend.fence;
        let mut pending: Vec<(Uuid, i32)> = bound
            .iter()
            .filter_map(|bound| Some((bound.id.0, bound.pending?)))
            .collect();
        // In the order in which rows are locked.
        pending.sort_unstable();
        let (waitpoints, signals): (Vec<Uuid>, Vec<i32>) = pending.into_iter().unzip();
        let satisfiers: Vec<Uuid> = end.satisfiers.iter().map(|id| id.0).collect();
        let consumed: Vec<Uuid> = end.consumed.iter().map(|id| id.0).collect();
        let state = suspend.state.as_ref();
        let behavior = suspend.timeout_behavior.unwrap_or(TimeoutBehavior::Fail);
        let closed = sqlx::query_file_scalar!(
            "src/suspension/suspend/early.sql",
            fence.execution_id.partition().column(),
            fence.execution_id.uuid(),
            fence.lease_id.0,
            fence.epoch as i64,
            fence.attempt as i32,
            id.0,
            suspend.reason.as_str(),
            suspend.requested_by.as_str(),
            suspend.condition_text(),
            suspend.resume_policy_text(),
            behavior.as_str(),
            state.map(|state| state.data.as_slice()),
            state.map(|state| state.content_type.as_str()),
            suspend.idempotency_key,
            &satisfiers,
            &consumed,
            &waitpoints,
            &signals,
            suspend.resume_policy.close_waitpoint_on_resume,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if closed.is_some() {
            self.inner.wake.logged();
        }
        Ok(closed.is_some())
    }
}
