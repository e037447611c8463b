//! cancel: any state but terminal → finished as cancelled.
//!
//! A running attempt loses its lease in the same statement, and its host is
//! told. Event: `cancelled`.

use model::{
    AttemptEnd, CancelRefusal, CancelSource, EngineCode, EventKind, ExecutionId, Failure, Fence,
    LeaseRefusal, Limits, Outcome,
};

use super::finish::{FinishCall, FinishVerdict};
use super::{Condition, Goes, ReleaseCall, Report, text};
use crate::{Answer, Engine};

/// A request to end an execution.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Which.
    pub id: ExecutionId,
    /// The caller's namespace; an execution elsewhere is not found. Absent for
    /// callers that may see them all.
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
    /// Whether an attempt was running.
    pub was_active: bool,
    /// Whether it was cancelled before.
    pub already: bool,
}

/// The holder's wish to end its execution as cancelled.
#[derive(Debug, Clone)]
pub struct CancelHeld {
    /// The lease it is asked under.
    pub fence: Fence,
    /// Why, for people; at most 1024 bytes.
    pub reason: String,
    /// What the attempt used and said.
    pub report: Report,
}

impl Engine {
    /// Cancels an execution, whatever it does. Succeeds again on one that was
    /// cancelled.
    ///
    /// # Refusals
    /// See [`CancelRefusal`].
    pub async fn cancel(&self, cancel: Cancel) -> Answer<Cancelled, CancelRefusal> {
        if let Err(invalid) = cancel.source.check() {
            return Ok(Err(invalid.into()));
        }
        for (field, given) in [
            ("reason", cancel.reason.as_deref()),
            ("source", Some(cancel.source.as_str())),
            ("actor", cancel.actor.as_deref()),
        ] {
            if let Err(invalid) = text(field, given.unwrap_or_default(), Limits::REASON_BYTES_MAX) {
                return Ok(Err(invalid.into()));
            }
        }
        if !self.exists(cancel.id, cancel.namespace.as_deref()).await? {
            return Ok(Err(CancelRefusal::ExecutionNotFound));
        }
        let call = FinishCall {
            id: cancel.id,
            ended: AttemptEnd::Cancelled,
            outcome: Outcome::Cancelled,
            code: EngineCode::Cancelled,
            message: cancel.reason,
            source: Some(cancel.source.to_string()),
            event: EventKind::Cancelled,
            only_due: false,
            suspension: None,
            operation: cancel.actor.map(|actor| ("cancel", actor)),
        };
        Ok(match self.inner.finish.call(call).await? {
            FinishVerdict::Finished { was_active } => Ok(Cancelled {
                was_active,
                already: false,
            }),
            FinishVerdict::Already(Outcome::Cancelled) => Ok(Cancelled {
                was_active: false,
                already: true,
            }),
            FinishVerdict::Already(outcome) => Err(CancelRefusal::ExecutionNotActive { outcome }),
            FinishVerdict::Missing | FinishVerdict::NotDue => Err(CancelRefusal::ExecutionNotFound),
        })
    }

    /// Finishes an execution as cancelled on behalf of its holder.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn cancel_held(&self, cancel: CancelHeld) -> Answer<(), LeaseRefusal> {
        if let Err(invalid) = text("reason", &cancel.reason, Limits::REASON_BYTES_MAX) {
            return Ok(Err(invalid.into()));
        }
        let call = ReleaseCall {
            fence: cancel.fence,
            condition: Condition::Held,
            ended: AttemptEnd::Cancelled,
            goes: Goes::Finished {
                outcome: Outcome::Cancelled,
                result: None,
                source: Some(CancelSource::LeaseHolder.to_string()),
            },
            involuntary: false,
            failure: Some(Failure::by_engine(EngineCode::Cancelled, cancel.reason)),
            report: cancel.report,
            event: EventKind::Cancelled,
            operation: None,
        };
        Ok(self.inner.release.call(call).await?.map(|_| ()))
    }
}
