//! The state of one execution, for a verb that needs no fence.

use model::{
    BlockingReason, ExecutionId, ExecutionPolicy, Fence, FlowId, LeaseRefusal, OperateRefusal,
    Outcome, StateKind, SuspensionId,
};

use crate::row::{count, epoch, fence, optional_label, policy};
use crate::{Engine, Error};

/// The state of one execution, for a verb that needs no fence.
#[derive(Debug)]
pub(crate) struct CurrentState {
    pub(crate) state: StateKind,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: BlockingReason,
    pub(crate) policy: ExecutionPolicy,
    pub(crate) replays: u32,
    pub(crate) priority: u16,
    pub(crate) epoch: u64,
    pub(crate) held: Option<Held>,
    /// The flow it is a member of.
    pub(crate) flow_id: Option<FlowId>,
    /// The suspension it waits in, if it is suspended.
    pub(crate) suspension: Option<SuspensionId>,
}

/// The lease an execution runs under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) fence: Fence,
    pub(crate) retries: u32,
    /// Whether another end without an outcome would exceed its reclaim cap.
    pub(crate) at_reclaim_cap: bool,
}

impl Engine {
    /// Reads the state of an execution; `None` if the namespace has no such
    /// execution.
    pub(crate) async fn current_state(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<CurrentState>, Error> {
        let row = sqlx::query_file!(
            "src/operator/current_state.sql",
            id.partition().column(),
            id.uuid(),
            namespace
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let held = match (row.lease_id, row.lease_epoch, row.attempt) {
            (Some(lease_id), Some(at), Some(attempt)) => Some(Held {
                fence: fence(id.uuid(), lease_id, at, attempt),
                retries: count(row.retries.unwrap_or(0)),
                at_reclaim_cap: row.reclaims.unwrap_or(0) >= row.max_reclaims,
            }),
            _ => None,
        };
        let outcome: Option<Outcome> =
            optional_label("finished", "outcome", id, row.outcome.as_deref())?;
        let parked: Option<StateKind> =
            optional_label("parked", "state", id, row.parked_state.as_deref())?;
        let reason = optional_label("parked", "reason", id, row.reason.as_deref())?;
        let state = match (&held, outcome, parked) {
            (Some(_), ..) => StateKind::Active,
            (_, Some(_), _) => StateKind::Terminal,
            (.., Some(parked)) => parked,
            _ => StateKind::Waiting,
        };
        Ok(Some(CurrentState {
            state,
            outcome,
            reason: reason.unwrap_or(match state {
                StateKind::Waiting => BlockingReason::WaitingForWorker,
                _ => BlockingReason::None,
            }),
            policy: policy(id.uuid(), row.policy.as_deref())?,
            replays: count(row.replays),
            priority: row.priority.unsigned_abs(),
            epoch: epoch(row.epoch),
            held,
            flow_id: row.flow_id.map(FlowId::from_uuid),
            suspension: row.suspension_id.map(SuspensionId),
        }))
    }
}

impl CurrentState {
    /// Names the refusal of a verb that ends a lease.
    pub(super) fn not_active(&self) -> LeaseRefusal {
        LeaseRefusal::ExecutionNotActive {
            state: self.state,
            outcome: self.outcome,
            epoch: self.epoch,
        }
    }

    /// Names the refusal of a verb that another state allows.
    pub(crate) fn not_eligible(&self) -> OperateRefusal {
        OperateRefusal::ExecutionNotEligible {
            state: self.state,
            outcome: self.outcome,
            reason: self.reason,
        }
    }
}
