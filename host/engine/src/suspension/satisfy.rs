//! Suspensions that are over before they begin: what came before satisfies them.
//!
//! Locks: the waitpoints, then the lease row. No event.

use std::time::Duration;

use model::{Closing, Heard, InboxWaitpoint, SuspensionId, TimeoutBehavior, WaitpointState};
use uuid::Uuid;

use super::bind::{Bound, pending};
use super::suspend::{policy_text, written};
use super::{Resumption, Suspend};
use crate::{Engine, Error};

/// Tries of a statement whose answer was lost.
const ASK_AGAIN: u32 = 4;

/// Whether there is anything to wait for.
pub(super) enum Before {
    Satisfied(Box<Resumption>),
    Waits,
    /// It was written by nobody: something changed.
    Moved,
}

impl Engine {
    /// Ends a suspension before it begins, if what was heard satisfies it.
    pub(super) async fn satisfied_before(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        bound: &[Bound],
        heard: &[Heard],
    ) -> Result<Before, Error> {
        let waitpoints: Vec<_> = bound
            .iter()
            .map(|bound| InboxWaitpoint {
                id: bound.id,
                key: bound.key.clone(),
                state: WaitpointState::Pending,
                close_reason: None,
            })
            .collect();
        let policy = suspend.resume_policy;
        let Some(closing) = Closing::at_once(&suspend.condition, policy, &waitpoints, heard) else {
            return Ok(Before::Waits);
        };
        let mut tried = 0;
        loop {
            match self.satisfy(suspend, id, bound, &closing).await {
                Ok(false) => return Ok(Before::Moved),
                Ok(true) => break,
                // Whether it was written is unknown; it has a name of its own.
                Err(error) if error.is_unavailable() && tried < ASK_AGAIN => {
                    tried += 1;
                    tokio::time::sleep(Duration::from_millis(50 << tried)).await;
                    let execution_id = suspend.fence.execution_id;
                    if let Ok(Some(_)) = self.resumption_of(execution_id, id).await {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let resumption = self.resumption_of(suspend.fence.execution_id, id).await?;
        Ok(match resumption {
            Some(resumption) => Before::Satisfied(Box::new(resumption)),
            None => Before::Moved,
        })
    }

    async fn satisfy(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        bound: &[Bound],
        closing: &Closing,
    ) -> Result<bool, Error> {
        let fence = suspend.fence;
        let (waitpoints, signals): (Vec<Uuid>, Vec<i32>) = pending(bound)
            .into_iter()
            .map(|(id, signals)| (id.0, signals))
            .unzip();
        let satisfiers: Vec<Uuid> = closing.satisfiers.iter().map(|id| id.0).collect();
        let spent: Vec<Uuid> = closing.spent.iter().map(|id| id.0).collect();
        let state = suspend.state.as_ref();
        let behavior = suspend.timeout_behavior.unwrap_or(TimeoutBehavior::Fail);
        let closed = sqlx::query_file_scalar!(
            "src/suspension/satisfy.sql",
            fence.execution_id.partition().column(),
            fence.execution_id.uuid(),
            fence.lease_id.0,
            fence.epoch as i64,
            fence.attempt as i32,
            id.0,
            suspend.reason.as_str(),
            suspend.requested_by.as_str(),
            written(&suspend.condition),
            policy_text(suspend.resume_policy),
            behavior.as_str(),
            state.map(|state| state.data.as_slice()),
            state.map(|state| state.content_type.as_str()),
            suspend.idempotency_key,
            &satisfiers,
            &waitpoints,
            &signals,
            suspend.resume_policy.close_waitpoint_on_resume,
            &spent,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        Ok(closed.is_some())
    }
}
