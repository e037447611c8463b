//! Children that a worker starts and waits for, and results that it is given.

use engine::{MemberRef, WaitFor};
use model::{EdgeDependencyPolicy, EdgeKind, ExecutionId, Invalid, Limits, Outcome, ensure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CreateFlowMember, EdgeGroupPolicy, FlowEdge, FlowGroup};
use crate::api::Failure;
use crate::api::operator::asks;

/// Children to start, all of them or nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartChildren {
    /// Handle of the lease, whose execution becomes the parent.
    pub lease: String,
    /// The children. One of a name that the flow has, with the same request, is that one.
    #[serde(default)]
    pub members: Vec<CreateFlowMember>,
    /// Edges between members of the flow.
    #[serde(default)]
    pub edges: Vec<FlowEdge>,
    /// Members that wait for less than everything before them.
    #[serde(default)]
    pub groups: Vec<FlowGroup>,
}

/// The lease whose children and inputs are listed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListResults {
    /// Handle of the lease.
    pub lease: String,
}

/// The lease under which a result is read, and whose result that is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadResult {
    /// Handle of the lease.
    pub lease: String,
    /// A child of its execution, or one whose result an edge passes to it.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
}

/// What an execution is given by others of its flow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GivenResults {
    /// Executions that its attempts started, in the order in which they were started.
    pub children: Vec<Child>,
    /// Results that edges pass to it, by their names.
    pub inputs: Vec<FlowInput>,
}

/// A child of an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Child {
    /// Id of the child.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// Its name in the flow; null without one.
    pub name: Option<String>,
    /// How it ended; null while it has not.
    #[schema(value_type = Option<String>)]
    pub outcome: Option<Outcome>,
    /// Media type of its result; null without one.
    pub result_type: Option<String>,
    /// Size of its result in bytes; null without one.
    pub result_bytes: Option<u64>,
    /// Why it ended without success; null otherwise.
    pub failure: Option<Failure>,
}

/// A result that an edge passes to an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FlowInput {
    /// The name that the edge gives it.
    pub name: String,
    /// The execution whose result it is.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// How that ended; null while it has not.
    #[schema(value_type = Option<String>)]
    pub outcome: Option<Outcome>,
    /// Media type of the result; null without one.
    pub result_type: Option<String>,
    /// Size of the result in bytes; 0 without one.
    pub result_bytes: u64,
}

asks! {
    /// Which children a running execution waits for.
    #[derive(Default)]
    WaitChildrenOverride {
        /// The children, by name or id; when absent all that have not ended.
        children?: Option<Vec<String>>,
        /// For how many of them; all when absent.
        policy?: Option<EdgeGroupPolicy>,
        /// Which ends count: `success_only`, `on_failure` or `always`. When absent, any end if
        /// all are waited for, and success if not.
        dependency_kind?: Option<EdgeKind> as Option<String>,
    }
}

/// Reads which children are waited for, as requests have it.
///
/// # Errors
/// A child is named neither by its name nor by an id, there are too many, or a quorum is out
/// of bounds.
pub fn wait_for(
    children: Option<&[String]>,
    policy: Option<EdgeGroupPolicy>,
    kind: Option<EdgeKind>,
) -> Result<WaitFor, Invalid> {
    let (count, max) = (
        children.map_or(0, <[String]>::len),
        Limits::FLOW_MEMBERS_MAX,
    );
    ensure("children", count <= max, || {
        format!("names {count} children; at most {max} are accepted")
    })?;
    let policy: EdgeDependencyPolicy = policy.map(Into::into).unwrap_or_default();
    policy.check()?;
    let children = children.map(|children| {
        let refs = children.iter();
        refs.map(|child| MemberRef::parse("children", child))
            .collect::<Result<Vec<_>, Invalid>>()
    });
    Ok(WaitFor {
        children: children.transpose()?,
        policy,
        kind,
    })
}

impl From<engine::Child> for Child {
    fn from(child: engine::Child) -> Self {
        Self {
            execution_id: child.id,
            name: child.name,
            outcome: child.outcome,
            result_type: child.result_type,
            result_bytes: child.result_bytes,
            failure: child.failure.map(Into::into),
        }
    }
}

impl From<engine::FlowInput> for FlowInput {
    fn from(input: engine::FlowInput) -> Self {
        Self {
            name: input.name,
            execution_id: input.execution_id,
            outcome: input.outcome,
            result_type: input.content_type,
            result_bytes: input.bytes,
        }
    }
}
