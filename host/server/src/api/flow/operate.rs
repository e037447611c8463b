//! What operators do to flows, and to which flow an execution belongs.

use std::collections::BTreeMap;

use model::{ExecutionId, FlowCancellationPolicy, FlowEligibility, FlowId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a flow shall be cancelled.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelFlow {
    /// Which members are cancelled: `cancel_all` (every one that has not ended),
    /// `cancel_pending` (those that do not run) or `cancel_flow_only` (none). When absent, as
    /// the flow was created with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub cancellation_policy: Option<FlowCancellationPolicy>,
    /// Why, for people; at most 1024 bytes. Kept with the flow and with each member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// How far the cancellation of a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowCancelStatus {
    /// The flow is cancelled, and every member that its policy names has ended.
    Cancelled,
    /// The flow is cancelled; members end from now on, and were not waited for.
    CancellationScheduled,
    /// The flow is cancelled; members had not ended when the wait was over. They will.
    PartiallyCancelled,
    /// The flow had been cancelled before; policy and reason are those of that time.
    AlreadyTerminal,
}

/// What the cancellation of a flow did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CancelledFlow {
    /// How far it is.
    pub status: FlowCancelStatus,
    /// Which members are cancelled: `cancel_all`, `cancel_pending` or `cancel_flow_only`.
    #[schema(value_type = String)]
    pub cancellation_policy: FlowCancellationPolicy,
    /// Why the flow was cancelled; null when that was not said.
    pub reason: Option<String>,
    /// Number of members that the cancellation reaches; of a repeat, of those listed.
    pub member_count: usize,
    /// The first 1000 of them in the order of their ids; of a repeat, members that ended as
    /// cancelled or are about to.
    #[schema(value_type = Vec<String>)]
    pub member_execution_ids: Vec<ExecutionId>,
    /// Number of them that have not ended.
    pub open_member_count: usize,
    /// The first 1000 of those.
    #[schema(value_type = Vec<String>)]
    pub open_member_execution_ids: Vec<ExecutionId>,
}

/// Labels of a flow to set and to remove.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFlowTags {
    /// Label to value; `null` removes the label. Labels not named stay.
    pub tags: BTreeMap<String, Option<String>>,
}

/// The flow of an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FlowOf {
    /// The flow it is a member of; null when it is in none.
    #[schema(value_type = Option<String>)]
    pub flow_id: Option<FlowId>,
    /// Whether it can be run, and if not, why: `eligible`, `owned` (it runs),
    /// `blocked_by_dependencies`, `impossible` (what it waits for cannot come true),
    /// `not_runnable` (something else than its flow keeps it), `terminal`, or `not_found` when
    /// it is in no flow.
    #[schema(value_type = String)]
    pub eligibility: FlowEligibility,
}
