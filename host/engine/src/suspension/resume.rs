//! resume: suspended → waiting or delayed, without its condition.
//!
//! Goes the way signals go, see `deliver.rs`, so that a signal, a time limit and an
//! operator who meet end a suspension once. Event: `resumed`.

use model::{Invalid, Limits, OperateRefusal, SuspensionCloseReason};

use super::deliver::{DeliverCall, DeliverVerdict, Resume};
use crate::execution::{Operate, Operation, TRIES, moving};
use crate::{Answer, Engine};

impl Engine {
    /// Has a suspended execution go on although its condition is not satisfied,
    /// after a delay if one is given, or else after that of its resume policy.
    ///
    /// # Refusals
    /// `execution_not_suspended` unless it is suspended.
    pub async fn resume(
        &self,
        operate: Operate,
        delay_ms: Option<u64>,
    ) -> Answer<(), OperateRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        if let Some(delay) = delay_ms
            && delay > Limits::DURATION_MS_MAX
        {
            return Ok(Err(
                Invalid::new("delay_ms", "is more than ten years").into()
            ));
        }
        for _ in 0..TRIES {
            let namespace = operate.namespace.as_deref();
            let Some(place) = self.place(operate.id, namespace).await? else {
                return Ok(Err(OperateRefusal::ExecutionNotFound));
            };
            let Some(suspension) = place.suspension else {
                return Ok(Err(OperateRefusal::ExecutionNotSuspended {
                    state: place.state,
                    outcome: place.outcome,
                }));
            };
            let resume = Resume {
                reason: SuspensionCloseReason::OperatorResume,
                suspension,
                only_due: false,
                delay_ms,
                operation: Some(Operation {
                    verb: "resume",
                    by: operate.by.clone(),
                }),
            };
            let call = DeliverCall::resume(operate.id, resume);
            match self.inner.deliver.call(call).await? {
                DeliverVerdict::Resume(true) => return Ok(Ok(())),
                // It went on before, by somebody else.
                DeliverVerdict::Resume(false) => {}
                DeliverVerdict::Signal(_) | DeliverVerdict::Moving => break,
            }
        }
        Err(moving(operate.id))
    }
}
