//! expire: any state but terminal → finished as expired, before its time.
//!
//! Event: `execution_expired`.

use model::{CancelSource, EngineCode, OperateRefusal, Outcome, StateKind};

use crate::execution::{FinishCall, FinishGuard, FinishVerdict};
use crate::operate::Operate;
use crate::{Answer, Engine};

impl Engine {
    /// Ends an execution as expired, in any state but terminal; returns whether an
    /// attempt was running. Succeeds again on one that has expired.
    ///
    /// # Refusals
    /// `execution_not_active` when it has another outcome.
    pub async fn expire(&self, operate: Operate) -> Answer<bool, OperateRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        if !self
            .exists(operate.id, operate.namespace.as_deref())
            .await?
        {
            return Ok(Err(OperateRefusal::ExecutionNotFound));
        }
        let source = CancelSource::OperatorOverride;
        let call = FinishCall {
            message: operate.by.reason,
            operation: Some(("expire", operate.by.actor)),
            ..FinishCall::expired(operate.id, FinishGuard::Any, EngineCode::Expired, source)
        };
        Ok(match self.inner.finish.call(call).await? {
            FinishVerdict::Finished { was_active } => Ok(was_active),
            FinishVerdict::Already(Outcome::Expired) => Ok(false),
            FinishVerdict::Already(outcome) => Err(OperateRefusal::ExecutionNotActive {
                state: StateKind::Terminal,
                outcome: Some(outcome),
            }),
            FinishVerdict::Missing | FinishVerdict::NotDue => {
                Err(OperateRefusal::ExecutionNotFound)
            }
        })
    }
}
