//! complete: active → finished with success.
//!
//! Event: `success`.

use model::{AttemptEnd, EventKind, Fence, LeaseRefusal, Outcome};

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
        let Complete {
            fence,
            mut result,
            report,
        } = complete;
        let checked =
            content_type("result.content_type", &mut result.content_type).and_then(|()| {
                payload_bytes("result", result.data.len(), self.limits().result_bytes_max)
            });
        if let Err(invalid) = checked {
            return Ok(Err(invalid.into()));
        }
        let call = ReleaseCall {
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
        };
        Ok(self.inner.release.call(call).await?.map(|_| ()))
    }
}
