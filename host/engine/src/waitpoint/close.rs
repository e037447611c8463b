//! close-waitpoint: pending or active → closed.
//!
//! Locks: the parked row of its suspension, then the waitpoint. No event; the operator is
//! recorded in `operation`.

use model::{WaitpointCloseReason, WaitpointRef, WaitpointRefusal};

use crate::operate::Operate;
use crate::row::bigint;
use crate::statements::{TRIES, conflict};
use crate::{Answer, Engine};

impl Engine {
    /// Closes a waitpoint. The signals it accepted still count; later ones are refused. A
    /// suspension that waits at it goes on waiting. Succeeds again on one that was closed
    /// by an operator.
    ///
    /// # Refusals
    /// See [`WaitpointRefusal`].
    pub async fn close_waitpoint(
        &self,
        operate: Operate,
        waitpoint: WaitpointRef,
    ) -> Answer<(), WaitpointRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        for _ in 0..TRIES {
            let found = match self.find_open_waitpoint(&operate, &waitpoint).await? {
                Ok(found) => found,
                Err(WaitpointRefusal::WaitpointClosed {
                    reason: WaitpointCloseReason::ProactiveClose,
                }) => return Ok(Ok(())),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let closed = sqlx::query_file_scalar!(
                "src/waitpoint/close.sql",
                operate.id.partition().column(),
                operate.id.uuid(),
                found.id.0,
                operate.by.actor,
                operate.by.reason,
                bigint(found.epoch),
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if closed.is_some() {
                return Ok(Ok(()));
            }
        }
        Err(conflict(operate.id))
    }
}
