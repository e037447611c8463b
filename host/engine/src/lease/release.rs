//! release: active → waiting, untouched.
//!
//! Event: `released`.

use model::{Fence, LeaseRefusal};

use super::{EndLease, Report};
use crate::{Declined, Engine};

impl Engine {
    /// Returns an execution to its queue, for a host that shuts down: it is ready again
    /// immediately, and nothing is charged to its policy.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn release(
        &self,
        fence: Fence,
        report: Report,
    ) -> Result<(), Declined<LeaseRefusal>> {
        let call = EndLease::returned(fence, report);
        self.inner.batchers.end_lease.call(call).await??;
        Ok(())
    }
}
