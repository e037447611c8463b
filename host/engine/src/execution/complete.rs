//! complete: active → finished with success.
//!
//! Event: `success`.

use model::{AttemptEnd, EventKind, Fence, Invalid, LeaseRefusal, Outcome};

use super::{Condition, Goes, Payload, ReleaseCall, Report, content_type, payload_bytes};
use crate::{Answer, Engine};

/// The holder's result.
#[derive(Debug, Clone)]
pub struct Complete {
    /// The lease it was made under.
    pub fence: Fence,
    /// The result.
    pub result: Payload,
    /// What the attempt used and said.
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
    pub async fn complete(&self, complete: Complete) -> Answer<(), LeaseRefusal> {
        let call = match self.completion(complete) {
            Ok(call) => call,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        Ok(self.inner.release.call(call).await?.map(|_| ()))
    }

    /// Builds the end of a lease with a result.
    pub(super) fn completion(&self, complete: Complete) -> Result<ReleaseCall, Invalid> {
        let Complete {
            fence,
            mut result,
            report,
        } = complete;
        content_type("result.content_type", &mut result.content_type)?;
        payload_bytes("result", result.data.len(), self.limits().result_bytes_max)?;
        Ok(ReleaseCall {
            fence,
            condition: Condition::Held,
            ended: AttemptEnd::Success,
            goes: Goes::Finished {
                outcome: Outcome::Success,
                result: Some(result),
                source: None,
            },
            involuntary: false,
            failure: None,
            report,
            event: EventKind::Success,
            operation: None,
        })
    }
}
