//! cancel by the holder: active → finished as cancelled.
//!
//! Event: `cancelled`.

use model::{Fence, LeaseRefusal, Limits};

use super::{EndLease, Report};
use crate::checks::text;
use crate::{Declined, Engine};

/// A holder's request to end its execution as cancelled.
#[derive(Debug, Clone)]
pub struct CancelHeld {
    /// The lease under which it is asked.
    pub fence: Fence,
    /// Why, for people; at most 1024 bytes.
    pub reason: String,
    /// What the attempt used and logged.
    pub report: Report,
}

impl Engine {
    /// Finishes an execution as cancelled on behalf of its holder.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn cancel_held(&self, cancel: CancelHeld) -> Result<(), Declined<LeaseRefusal>> {
        text("reason", &cancel.reason, Limits::REASON_BYTES_MAX)?;
        let call = EndLease::cancelled(cancel.fence, cancel.reason, cancel.report);
        self.inner.batchers.end_lease.call(call).await??;
        Ok(())
    }
}
