//! complete: active → finished with success.
//!
//! Event: `success`.

use model::{Fence, Invalid, LeaseRefusal};

use super::{EndLease, Report};
use crate::checks::{Payload, content_type, payload_bytes};
use crate::{Declined, Engine};

/// The holder's result.
#[derive(Debug, Clone)]
pub struct Complete {
    /// The lease under which it was made.
    pub fence: Fence,
    /// What the handler returned; bounded by [`model::Limits::result_bytes_max`].
    pub result: Payload,
    /// What the attempt used and logged.
    pub report: Report,
}

impl Engine {
    /// Finishes an execution with a result.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]. A repeat under the same fence with the same result
    /// succeeds again.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`]: unknown whether it was recorded; ask again.
    pub async fn complete(&self, complete: Complete) -> Result<(), Declined<LeaseRefusal>> {
        let call = complete.into_end(self.limits().result_bytes_max)?;
        self.inner.batchers.end_lease.call(call).await??;
        Ok(())
    }
}

impl Complete {
    /// Checks the bounds and builds the end of the lease.
    pub(crate) fn into_end(self, bytes_max: u32) -> Result<EndLease, Invalid> {
        let mut result = self.result;
        content_type("result.content_type", &mut result.content_type)?;
        payload_bytes("result", result.data.len(), bytes_max)?;
        Ok(EndLease::completed(self.fence, result, self.report))
    }
}
