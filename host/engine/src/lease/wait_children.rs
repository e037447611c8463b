//! wait-children: active → waiting for children, as the same attempt.
//!
//! Event: `waiting_children`.

use model::{Fence, LeaseRefusal};

use super::{EndLease, Report};
use crate::{Declined, Engine};

impl Engine {
    /// Parks an execution until it is unblocked, which its flow does when its children
    /// have finished. Not a failure: the same attempt resumes under a new lease.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn wait_children(
        &self,
        fence: Fence,
        report: Report,
    ) -> Result<(), Declined<LeaseRefusal>> {
        let call = EndLease::waiting_children(fence, report);
        self.inner.batchers.end_lease.call(call).await??;
        Ok(())
    }
}
