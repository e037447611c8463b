//! expire: any state but terminal → finished as expired, before its time.
//!
//! Event: `execution_expired`.

use model::{CancelSource, ExpireReason, OperateRefusal, Outcome, StateKind};

use crate::execution::{FinishCall, FinishGuard, FinishVerdict};
use crate::operate::Operate;
use crate::{Declined, Engine};

impl Engine {
    /// Ends an execution as expired, in any state but terminal, for a reason that becomes
    /// the code of its failure; returns whether an attempt was running. Succeeds again on
    /// one that has expired.
    ///
    /// # Refusals
    /// `execution_not_active` when it has another outcome.
    pub async fn expire(
        &self,
        operate: Operate,
        reason: ExpireReason,
    ) -> Result<bool, Declined<OperateRefusal>> {
        operate.by.check()?;
        let exists = self.exists(operate.id, operate.namespace.as_deref());
        if !exists.await? {
            return Err(OperateRefusal::ExecutionNotFound.into());
        }
        let source = CancelSource::OperatorOverride;
        let call = FinishCall {
            message: operate.by.reason,
            operation: Some(("expire", operate.by.actor)),
            ..FinishCall::expired(operate.id, FinishGuard::Any, reason.code(), source)
        };
        Err(Declined::Refused(
            match self.inner.batchers.finish.call(call).await? {
                FinishVerdict::Finished { was_active } => return Ok(was_active),
                FinishVerdict::Already(Outcome::Expired) => return Ok(false),
                FinishVerdict::Already(outcome) => OperateRefusal::ExecutionNotActive {
                    state: StateKind::Terminal,
                    outcome: Some(outcome),
                },
                FinishVerdict::Missing | FinishVerdict::NotDue => OperateRefusal::ExecutionNotFound,
            },
        ))
    }
}
