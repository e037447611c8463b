//! Why a flow was not made, changed or cancelled.

use crate::{
    CreateRefusal, EdgeId, ExecutionId, FlowId, Invalid, LeaseRefusal, Limits, Refusal,
    RefusalCode, Told,
};

/// Why a flow was not made or changed. Nothing of the request was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowRefusal {
    /// No such flow, or not in the namespace of the request.
    #[error("no such flow")]
    NotFound,
    /// The flow was cancelled.
    #[error("the flow was cancelled: it takes no new members and edges")]
    AlreadyTerminal,
    /// The graph has changed since the caller read it.
    #[error("the flow is at graph revision {current}; read it and decide again")]
    StaleGraphRevision {
        /// The revision it is at.
        current: u64,
    },
    /// The idempotency key, or the name of a member, was used before with another request.
    #[error("{what} was used before with another request; it made {existing}")]
    IdempotencyConflict {
        /// The key of the flow, or the member, with its name.
        what: String,
        /// Id of the flow or execution that the first request made.
        existing: String,
    },
    /// The id belongs to a flow or an execution that another request made.
    #[error("the id {0} is taken; leave it out to have one made")]
    IdConflict(String),
    /// A member was refused as an execution of its own would be.
    #[error("member {member}: {refusal}")]
    Member {
        /// Its name, or its place in the request.
        member: String,
        /// Why it cannot be created.
        refusal: CreateRefusal,
    },
    /// There is no such execution in the namespace of the flow.
    #[error("there is no execution {0} in the namespace of the flow")]
    ExecutionNotFound(ExecutionId),
    /// An end of an edge is no member of the flow.
    #[error("{0} is not a member of the flow")]
    ExecutionNotInFlow(String),
    /// The execution is a member of another flow.
    #[error("execution {execution} is a member of flow {flow}")]
    AlreadyInFlow {
        /// The execution that was to be added.
        execution: ExecutionId,
        /// The flow that it is of.
        flow: FlowId,
    },
    /// Members of a flow are on its partition.
    #[error(
        "execution {execution} is on partition {on}, and the flow on {of}; create it in the flow instead"
    )]
    OtherPartition {
        /// The execution that was to be added.
        execution: ExecutionId,
        /// The partition that its id carries.
        on: u16,
        /// The partition of the flow.
        of: u16,
    },
    /// An edge leads from a member to itself.
    #[error("the edge from {0} leads to itself")]
    SelfReferencingEdge(String),
    /// The edges would form a cycle.
    #[error("the edges form a cycle: {}", shown(cycle))]
    CycleDetected {
        /// Its members in the order of the edges, by name where they have one; at most
        /// [`Limits::CYCLE_SHOWN_MAX`] of them.
        cycle: Vec<String>,
    },
    /// There is such an edge.
    #[error("{upstream} and {downstream} are joined already, by edge {}", existing.0)]
    DependencyAlreadyExists {
        /// The upstream member, as it is shown.
        upstream: String,
        /// The downstream member, as it is shown.
        downstream: String,
        /// The edge that is there.
        existing: EdgeId,
    },
    /// An edge cannot be made because of what its downstream member has come to, or its group
    /// could never come true.
    #[error("{member}: {why}")]
    InvalidDependency {
        /// The member, as it is shown.
        member: String,
        /// What keeps the edge out.
        why: &'static str,
    },
    /// Edges lead to the member, so how many of them it needs is fixed.
    #[error("edges lead to {0} already, so its policy is fixed; name it with the first edge")]
    GroupPolicyFixed(String),
    /// The flow would have more members or edges than it may.
    #[error("the flow would have {given} {what}; it may have {max}")]
    TooLarge {
        /// What there are too many of: `members` or `edges`.
        what: &'static str,
        /// How many it would have.
        given: usize,
        /// How many it may have.
        max: usize,
    },
    /// A host of a version that knows no flows uses the database.
    #[error(
        "a host of an earlier version uses this database and would end members without their flow; update or stop it"
    )]
    OldHosts,
    /// The lease of the handler that asks does not hold.
    #[error(transparent)]
    Lease(#[from] LeaseRefusal),
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Limits {
    /// Most members of a cycle that a refusal names.
    pub const CYCLE_SHOWN_MAX: usize = 20;
}

fn shown(cycle: &[String]) -> String {
    cycle.join(" -> ")
}

impl Refusal for FlowRefusal {
    fn told(&self) -> Told {
        use RefusalCode as Code;
        match self {
            Self::NotFound => Code::FlowNotFound.alone(),
            Self::AlreadyTerminal => Code::FlowAlreadyTerminal.alone(),
            Self::StaleGraphRevision { current } => {
                Code::StaleGraphRevision.with("graph_revision", current)
            }
            Self::IdempotencyConflict { existing, .. } => {
                Code::IdempotencyConflict.with("existing", existing)
            }
            Self::IdConflict(id) => Code::IdConflict.with("id", id),
            Self::Member { member, refusal } => refusal.told().with("member", member),
            Self::ExecutionNotFound(id) => Code::ExecutionNotFound.with("execution_id", id),
            Self::ExecutionNotInFlow(member) => Code::ExecutionNotInFlow.with("member", member),
            Self::AlreadyInFlow { execution, flow } => Code::ExecutionAlreadyInFlow
                .with("execution_id", execution)
                .with("flow_id", flow),
            Self::OtherPartition { execution, .. } => {
                Code::PartitionMismatch.with("execution_id", execution)
            }
            Self::SelfReferencingEdge(member) => Code::SelfReferencingEdge.with("member", member),
            Self::CycleDetected { cycle } => Code::CycleDetected.with("cycle", cycle),
            Self::DependencyAlreadyExists {
                upstream,
                downstream,
                existing,
            } => Code::DependencyAlreadyExists
                .with("upstream", upstream)
                .with("downstream", downstream)
                .with("existing", existing),
            Self::InvalidDependency { member, .. } => {
                Code::InvalidDependency.with("member", member)
            }
            Self::GroupPolicyFixed(member) => {
                Code::EdgeGroupPolicyAlreadyFixed.with("member", member)
            }
            Self::TooLarge { max, .. } => Code::FlowTooLarge.with("max", max),
            Self::OldHosts => Code::FlowsUnavailable.alone(),
            Self::Lease(lease) => lease.told(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

/// Why a flow was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowCancelRefusal {
    /// No such flow, or not in the namespace of the request.
    #[error("no such flow")]
    NotFound,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for FlowCancelRefusal {
    fn told(&self) -> Told {
        match self {
            Self::NotFound => RefusalCode::FlowNotFound.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}
