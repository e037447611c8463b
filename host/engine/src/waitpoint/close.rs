//! close-waitpoint: pending or active → closed.
//!
//! Locks: the parked row of its suspension, then the waitpoint. No event; the operator is
//! recorded in `operation`.

use model::{WaitpointCloseReason, WaitpointRef, WaitpointRefusal};

use crate::operate::Operate;
use crate::row::bigint;
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine};

impl Engine {
    /// Closes a waitpoint. The signals it accepted still count; later ones are refused. A
    /// suspension that waits at it stays open. Succeeds again on one that was closed
    /// by an operator.
    ///
    /// # Refusals
    /// See [`WaitpointRefusal`].
    pub async fn close_waitpoint(
        &self,
        operate: Operate,
        waitpoint: WaitpointRef,
    ) -> Result<(), Declined<WaitpointRefusal>> {
        operate.by.check()?;
        for _ in 0..TRIES {
            let found = match self.find_open_waitpoint(&operate, &waitpoint).await {
                Err(Declined::Refused(WaitpointRefusal::WaitpointClosed {
                    reason: WaitpointCloseReason::ProactiveClose,
                })) => return Ok(()),
                found => found?,
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
                return Ok(());
            }
        }
        Err(conflict(operate.id).into())
    }
}
