//! What callers ask of flows, and what they are answered.

use std::collections::BTreeMap;
use std::str::FromStr;

use model::{
    EdgeDependencyPolicy, EdgeId, EdgeKind, ExecutionId, Fence, FlowCancellationPolicy, FlowId,
    Invalid, NAMESPACE_DEFAULT, PublicState,
};

use crate::execution::Create;

/// A member of a flow, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberRef {
    /// By its name in the flow.
    Name(String),
    /// By the id of its execution.
    Id(ExecutionId),
}

impl MemberRef {
    /// Reads the id of an execution, or else a name, which `field` of a request gives.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if let Ok(id) = ExecutionId::from_str(text) {
            return Ok(Self::Id(id));
        }
        model::member_name(field, text)?;
        Ok(Self::Name(text.to_owned()))
    }
}

impl std::fmt::Display for MemberRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.pad(name),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// An execution that is created in a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// Unique in the flow. A member of that name, created by the same request, is that
    /// member again.
    pub name: Option<String>,
    /// The execution. Its namespace is that of the flow; an id and an idempotency key of its
    /// own are refused.
    pub create: Create,
}

/// An edge that is added to a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEdge {
    /// The member that is waited for.
    pub upstream: MemberRef,
    /// The member that waits, which must not have started.
    pub downstream: MemberRef,
    /// Which ends of the upstream member satisfy it.
    pub kind: EdgeKind,
    /// The name under which the downstream member reads the result of the upstream one.
    pub data_passing_ref: Option<String>,
}

/// How many of the edges into a member must be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// The member that waits, into which no edge leads yet.
    pub downstream: MemberRef,
    /// How many; `all_of` where a member has no such entry.
    pub policy: EdgeDependencyPolicy,
}

/// What is added to the graph of a flow, in one step or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// Executions that are created in it.
    pub members: Vec<NewMember>,
    /// Executions that exist, on the partition of the flow and in its namespace.
    pub added: Vec<ExecutionId>,
    /// Edges between members, new ones and those that are there.
    pub edges: Vec<NewEdge>,
    /// Policies of members that wait for less than all their edges.
    pub groups: Vec<NewGroup>,
}

/// A request for a flow, with its graph as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFlow {
    /// Its id, for callers that make their own: a version 7 UUID on a partition of the
    /// instance, and on that of the idempotency key if there is one.
    pub id: Option<FlowId>,
    /// The namespace of the flow and all its members.
    pub namespace: String,
    /// What kind of flow it is, for lists and people: a name as that of an execution's kind.
    pub kind: String,
    /// Who asks, for people; at most 255 bytes.
    pub creator: Option<String>,
    /// Makes the request safe to repeat, for as long as the flow is kept.
    pub idempotency_key: Option<String>,
    /// Labels by key, at most [`model::Limits::TAGS_MAX`].
    pub tags: BTreeMap<String, String>,
    /// Of a cancellation that names none, and of the children of a member that is cancelled.
    pub cancellation_policy: FlowCancellationPolicy,
    /// Its first members and edges. It adds no executions that exist.
    pub graph: Graph,
}

impl CreateFlow {
    /// Returns a request with every default and no members.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            id: None,
            namespace: NAMESPACE_DEFAULT.to_owned(),
            kind: kind.into(),
            creator: None,
            idempotency_key: None,
            tags: BTreeMap::new(),
            cancellation_policy: FlowCancellationPolicy::default(),
            graph: Graph::default(),
        }
    }
}

/// A request to add to the graph of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrowFlow {
    /// The flow that grows.
    pub id: FlowId,
    /// The caller's namespace; a flow elsewhere is not found. Absent for callers that may see
    /// every namespace.
    pub namespace: Option<String>,
    /// Refused if the graph is at another revision; absent: added at any revision.
    pub expected_graph_revision: Option<u64>,
    /// What is added, in one step.
    pub graph: Graph,
    /// The lease of the handler that asks, which must hold; its execution becomes the parent
    /// of the new members.
    pub holder: Option<Fence>,
    /// Who asks, 1 to 255 bytes; kept with the edges.
    pub actor: String,
}

/// What a flow is after it was created or has grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowChanged {
    /// The id of the flow.
    pub id: FlowId,
    /// Whether this request created the flow, or changed it; if not, the same was requested
    /// before.
    pub applied: bool,
    /// Grows by one with each member and each edge.
    pub graph_revision: u64,
    /// How many members it has.
    pub node_count: u32,
    /// How many edges it has.
    pub edge_count: u32,
    /// The members that the request creates, in its order; of a repeated creation of a flow
    /// those that have a name.
    pub members: Vec<MemberMade>,
    /// The edges that the request adds, in its order; none of a repeat.
    pub edges: Vec<EdgeId>,
}

/// A member that a request creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMade {
    /// The id of its execution.
    pub id: ExecutionId,
    /// Its name in the flow.
    pub name: Option<String>,
    /// The state it was created in; absent if an earlier request created it.
    pub state: Option<PublicState>,
}
