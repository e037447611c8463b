//! close-waitpoint by the holder: pending → closed.
//!
//! While an execution runs, none of its waitpoints is active. Locks: the waitpoint, then
//! the lease row. No event.

use model::{
    Fence, LeaseRefusal, SuspendRefusal, WaitpointCloseReason, WaitpointRef, WaitpointState,
};

use super::snapshot::read_snapshot;
use crate::row::{bigint, int};
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine};

impl Engine {
    /// Closes a pending waitpoint on behalf of the holder of the lease: it takes no more
    /// signals. Succeeds again on one that was closed by its holder or an operator.
    ///
    /// # Refusals
    /// See [`SuspendRefusal`]; `waitpoint_not_pending` for one that was closed in another
    /// way.
    pub async fn close_held_waitpoint(
        &self,
        fence: Fence,
        waitpoint: WaitpointRef,
    ) -> Result<(), Declined<SuspendRefusal>> {
        let id = fence.execution_id;
        for _ in 0..TRIES {
            let named = [(id, &waitpoint)].into_iter().collect();
            let snapshot = read_snapshot(&self.inner.verbs, id, &named).await?;
            let snapshot = snapshot.ok_or(LeaseRefusal::ExecutionNotFound)?;
            let found = snapshot.target.find(&waitpoint).ok();
            let pending = match found {
                Some(it) if it.close_reason == Some(WaitpointCloseReason::ProactiveClose) => {
                    return Ok(());
                }
                Some(it) if it.state == WaitpointState::Pending => Ok(it.id),
                Some(it) if it.state == WaitpointState::Expired => {
                    Err(SuspendRefusal::PendingWaitpointExpired)
                }
                Some(it) => Err(SuspendRefusal::WaitpointNotPending { state: it.state }),
                None => Err(SuspendRefusal::WaitpointNotFound),
            };
            if let Ok(pending) = pending {
                let closed = sqlx::query_file_scalar!(
                    "src/waitpoint/close_held.sql",
                    id.partition().column(),
                    id.uuid(),
                    fence.lease_id.0,
                    bigint(fence.epoch),
                    int(fence.attempt),
                    pending.0,
                )
                .fetch_optional(&self.inner.verbs)
                .await?;
                if closed.is_some() {
                    return Ok(());
                }
            }
            // A lease that does not hold is refused first.
            let look = self.observe(fence).await?;
            let look = look.ok_or(LeaseRefusal::ExecutionNotFound)?;
            if !look.observed.holds(&fence, false) {
                return Err(look.observed.refusal(&fence).into());
            }
            if let Err(refusal) = pending {
                return Err(refusal.into());
            }
        }
        Err(conflict(id).into())
    }
}
