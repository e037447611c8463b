//! cancel: any state but terminal → finished as cancelled.
//!
//! A running attempt loses its lease in the same statement, and its host is notified.
//! Event: `cancelled`.

use model::{
    CancelRefusal, CancelSource, EngineCode, ExecutionId, Limits, Outcome, SuspensionCloseReason,
};

use super::statement::{FinishCall, FinishGuard, FinishVerdict};
use crate::checks::text;
use crate::operate::Operator;
use crate::{Declined, Engine};

/// A request to end an execution.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// The execution that is to end.
    pub id: ExecutionId,
    /// The caller's namespace; an execution elsewhere is not found. Absent for
    /// callers that may see every namespace.
    pub namespace: Option<String>,
    /// Why, for people; at most 1024 bytes.
    pub reason: Option<String>,
    /// On whose behalf; not one of those that the engine alone records.
    pub source: CancelSource,
    /// Who asks, 1 to 255 bytes, when that is to be kept with the execution.
    pub actor: Option<String>,
}

/// The answer to a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled {
    /// Whether an attempt was running, which has lost its lease.
    pub was_active: bool,
    /// Whether it had been cancelled before.
    pub already: bool,
}

impl Engine {
    /// Cancels an execution in any state but terminal. Succeeds again on one that was
    /// cancelled.
    ///
    /// # Refusals
    /// See [`CancelRefusal`].
    pub async fn cancel(&self, cancel: Cancel) -> Result<Cancelled, Declined<CancelRefusal>> {
        cancel.source.check()?;
        for (field, given) in [
            ("reason", cancel.reason.as_deref()),
            ("source", Some(cancel.source.as_str())),
        ] {
            text(field, given.unwrap_or_default(), Limits::REASON_BYTES_MAX)?;
        }
        if let Some(actor) = &cancel.actor {
            Operator::check_actor(actor)?;
        }
        if !self.exists(cancel.id, cancel.namespace.as_deref()).await? {
            return Err(CancelRefusal::ExecutionNotFound.into());
        }
        let call = FinishCall {
            id: cancel.id,
            guard: FinishGuard::Any,
            outcome: Outcome::Cancelled,
            code: EngineCode::Cancelled,
            message: cancel.reason,
            source: cancel.source,
            close_reason: SuspensionCloseReason::Cancelled,
            operation: cancel.actor.map(|actor| ("cancel", actor)),
        };
        let (was_active, already) = match self.inner.batchers.finish.call(call).await? {
            FinishVerdict::Finished { was_active } => (was_active, false),
            FinishVerdict::Already(Outcome::Cancelled) => (false, true),
            FinishVerdict::Already(outcome) => {
                return Err(CancelRefusal::ExecutionNotActive { outcome }.into());
            }
            FinishVerdict::Missing | FinishVerdict::NotDue => {
                return Err(CancelRefusal::ExecutionNotFound.into());
            }
        };
        Ok(Cancelled {
            was_active,
            already,
        })
    }
}
