//! wait-children: active → waiting for children, as the same attempt.
//!
//! Event: `waiting_children`.

use model::{AttemptEnd, AttemptType, BlockingReason, EventKind, Fence, LeaseRefusal, StateKind};

use super::{Condition, Goes, ReleaseCall, Report};
use crate::{Answer, Engine};

impl Engine {
    /// Puts an execution down until it is unblocked, which its flow does when
    /// its children have finished. Not a failure: the same attempt goes on under
    /// a new lease.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn wait_children(&self, fence: Fence, report: Report) -> Answer<(), LeaseRefusal> {
        let call = ReleaseCall {
            fence,
            condition: Condition::Held,
            ended: AttemptEnd::WaitingChildren,
            goes: Goes::Parked {
                state: StateKind::WaitingChildren,
                why: BlockingReason::WaitingForChildren,
                delay_ms: None,
                next_type: AttemptType::Initial,
                resumes: true,
                retries_add: 0,
            },
            involuntary: false,
            failure: None,
            report,
            event: EventKind::WaitingChildren,
            operation: None,
        };
        Ok(self.inner.release.call(call).await?.map(|_| ()))
    }
}
