//! Members of flows, and the groups of edges into them.

use model::{EdgeDependencyPolicy, EdgeGroupState, ExecutionId, OnSatisfied};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Execution;
use crate::api::answer::{answers, pages};

/// How many of the edges into a member must be satisfied, and what becomes of upstream members
/// that have not ended then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EdgeGroupPolicy {
    /// Each of them.
    #[schema(title = "AllOfGroup")]
    AllOf {},
    /// One of them.
    #[schema(title = "AnyOfGroup")]
    AnyOf {
        /// `cancel_remaining`: they are cancelled; `let_run`: they run on.
        #[serde(default)]
        #[schema(value_type = String, default = "cancel_remaining")]
        on_satisfied: OnSatisfied,
    },
    /// So many of them.
    #[schema(title = "QuorumGroup")]
    Quorum {
        /// How many, 1 to 50000.
        k: u32,
        /// `cancel_remaining`: they are cancelled; `let_run`: they run on.
        #[serde(default)]
        #[schema(value_type = String, default = "cancel_remaining")]
        on_satisfied: OnSatisfied,
    },
}

impl From<EdgeGroupPolicy> for EdgeDependencyPolicy {
    fn from(policy: EdgeGroupPolicy) -> Self {
        match policy {
            EdgeGroupPolicy::AllOf {} => Self::AllOf,
            EdgeGroupPolicy::AnyOf { on_satisfied } => Self::AnyOf { on_satisfied },
            EdgeGroupPolicy::Quorum { k, on_satisfied } => Self::Quorum { k, on_satisfied },
        }
    }
}

impl From<EdgeDependencyPolicy> for EdgeGroupPolicy {
    fn from(policy: EdgeDependencyPolicy) -> Self {
        match policy {
            EdgeDependencyPolicy::AllOf => Self::AllOf {},
            EdgeDependencyPolicy::AnyOf { on_satisfied } => Self::AnyOf { on_satisfied },
            EdgeDependencyPolicy::Quorum { k, on_satisfied } => Self::Quorum { k, on_satisfied },
        }
    }
}

answers! {
    /// A member of a flow.
    FlowMember(member: engine::FlowMember) {
        /// The execution as it is now.
        execution: Execution = member.execution.into(),
        /// Its name in the flow; null without one.
        name: Option<String>,
        /// The member whose handler started it; null if none did.
        parent_id: Option<ExecutionId> as Option<String>,
        /// The edges into it, counted; null if there are none.
        edge_group: Option<EdgeGroup> = member.group.map(Into::into),
    }

    /// The edges into a member, counted.
    EdgeGroup(group: model::EdgeGroup) {
        /// How many must be satisfied.
        policy: EdgeGroupPolicy = group.policy.into(),
        /// All edges into the member.
        total_deps: u32 = group.total,
        /// Those that are satisfied.
        satisfied_count: u32 = group.satisfied,
        /// Those whose upstream member failed, expired or was cancelled.
        failed_count: u32 = group.failed,
        /// Those whose upstream member was skipped, or ended well where its failure was waited
        /// for.
        skipped_count: u32 = group.skipped,
        /// Those whose upstream member has not ended.
        running_count: u32 = group.running(),
        /// `pending`, `satisfied`, `impossible`, or `cancelled` with the flow.
        group_state: EdgeGroupState as String = group.state,
    }
}

pages! {
    /// A page of the members of a flow, in the order of their creation.
    FlowMembers of engine::FlowMember {
        /// The members of the page.
        members: Vec<FlowMember>,
    }
}
