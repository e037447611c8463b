//! expire: any state but terminal → finished as expired, before its time.
//!
//! Event: `execution_expired`.

use model::{AttemptEnd, CancelSource, EngineCode, EventKind, OperateRefusal, Outcome, StateKind};

use super::finish::{FinishCall, FinishVerdict};
use super::operator::Operate;
use crate::{Answer, Engine};

impl Engine {
    /// Ends an execution as expired, whatever it does; returns whether an
    /// attempt was running. Succeeds again on one that has expired.
    ///
    /// # Refusals
    /// `execution_not_active` when it ended some other way.
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
        let call = FinishCall {
            id: operate.id,
            ended: AttemptEnd::Expired,
            outcome: Outcome::Expired,
            code: EngineCode::Expired,
            message: operate.by.reason,
            source: Some(CancelSource::OperatorOverride.to_string()),
            event: EventKind::ExecutionExpired,
            only_due: false,
            suspension: None,
            operation: Some(("expire", operate.by.actor)),
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
