//! A change of one flow on its way to the statement.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    EdgeDependencyPolicy, EdgeId, EdgeKind, ExecutionId, Fence, FlowCancellationPolicy, FlowId,
    Moment, Partition, PublicState,
};

use crate::batch::BatchItem;
use crate::execution::CreateCall;

/// What a flow that does not exist yet is made with.
#[derive(Debug, Clone)]
pub(super) struct NewFlow {
    pub(super) kind: String,
    pub(super) creator: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) digest: Option<Vec<u8>>,
    pub(super) cancellation_policy: FlowCancellationPolicy,
    pub(super) tags: BTreeMap<String, String>,
}

/// A decided change, which holds while the flow is at the version it was decided on.
pub(crate) struct FlowChange {
    pub(super) id: FlowId,
    /// That of the flow and of all its members.
    pub(super) namespace: String,
    /// Absent for a new flow.
    pub(super) version: Option<i64>,
    pub(super) new: Option<NewFlow>,
    pub(super) members: Vec<PlannedMember>,
    pub(super) existing: Vec<ExistingMember>,
    /// How many of the existing executions join the flow.
    pub(super) joined: usize,
    pub(super) edges: Vec<PlannedEdge>,
    pub(super) groups: Vec<PlannedGroup>,
    /// Members that have ended, or may have, for which edges wait.
    pub(super) due: Vec<ExecutionId>,
    /// The lease that must be held.
    pub(super) holder: Option<Fence>,
}

pub(super) struct PlannedMember {
    pub(super) name: Option<String>,
    pub(super) parent: Option<ExecutionId>,
    /// Whether edges lead to it.
    pub(super) waits: bool,
    pub(super) call: Arc<CreateCall>,
}

/// An execution that exists and that the change moves.
pub(super) struct ExistingMember {
    pub(super) id: ExecutionId,
    pub(super) joins: bool,
    /// Whether it begins to wait for edges.
    pub(super) waits: bool,
}

impl ExistingMember {
    pub(super) const fn of(id: ExecutionId) -> Self {
        Self {
            id,
            joins: false,
            waits: false,
        }
    }
}

pub(super) struct PlannedEdge {
    pub(super) id: EdgeId,
    pub(super) upstream: ExecutionId,
    pub(super) downstream: ExecutionId,
    pub(super) kind: EdgeKind,
    pub(super) data_passing_ref: Option<String>,
    pub(super) created_by: String,
}

pub(super) struct PlannedGroup {
    pub(super) id: ExecutionId,
    pub(super) policy: EdgeDependencyPolicy,
    pub(super) total: u32,
    /// When its execution may begin, if that is new and was given a delay.
    pub(super) delay_ms: Option<u64>,
    pub(super) due_at: Option<Moment>,
    /// Whether the policy is another one than before.
    pub(super) is_new_policy: bool,
}

/// A change that was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(super) graph_revision: u64,
    pub(super) node_count: u32,
    pub(super) edge_count: u32,
    /// New members that neither wait for edges nor in the queue, and their states.
    pub(super) states: Vec<(ExecutionId, PublicState)>,
}

/// What was written; absent if the flow was not as the change was decided on.
pub(crate) type ChangeVerdict = Option<Written>;

impl BatchItem for FlowChange {
    type Key = FlowId;

    fn partition(&self) -> Partition {
        self.id.partition()
    }

    fn key(&self) -> FlowId {
        self.id
    }

    fn payload_bytes(&self) -> usize {
        let inputs = self.members.iter();
        let inputs: usize = inputs.map(|it| it.call.create.input.data.len()).sum();
        // So that large graphs do not delay small ones.
        inputs + 256 * (self.members.len() + self.edges.len())
    }
}
