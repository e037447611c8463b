//! Requests that create flows and add to them, and what is answered.

use std::collections::BTreeMap;

use model::{EdgeKind, ExecutionId, FlowCancellationPolicy, FlowId, PublicState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::EdgeGroupPolicy;
use crate::api::payload::present;
use crate::api::{CreateExecution, Policy, unique_keys};

/// A flow to create, with its whole graph or a part of it: all of that is made, or nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFlow {
    /// What kind of flow it is, for lists and people: a name as that of an execution's kind.
    pub kind: String,
    /// Namespace of the flow and all its members; `default` when absent.
    pub namespace: Option<String>,
    /// Who creates it, for people; null when absent.
    pub creator: Option<String>,
    /// Makes the request safe to repeat for as long as the flow is kept; the header
    /// `Idempotency-Key` does the same.
    pub idempotency_key: Option<String>,
    /// Labels, `owner.name` to value; at most 32.
    #[serde(default, deserialize_with = "unique_keys")]
    pub tags: BTreeMap<String, String>,
    /// Which members are cancelled when a cancellation of the flow does not say: `cancel_all`,
    /// `cancel_pending` or `cancel_flow_only`.
    #[serde(default)]
    #[schema(value_type = String, default = "cancel_all")]
    pub cancellation_policy: FlowCancellationPolicy,
    /// The executions that it begins with.
    #[serde(default)]
    pub members: Vec<CreateFlowMember>,
    /// What they wait for.
    #[serde(default)]
    pub edges: Vec<FlowEdge>,
    /// Members that wait for less than everything before them.
    #[serde(default)]
    pub groups: Vec<FlowGroup>,
    /// An id that the caller chose: a version 7 UUID whose 12 bits after the version are the
    /// number of a partition of the instance. Chosen by the server when absent.
    #[schema(value_type = Option<String>)]
    pub id: Option<FlowId>,
}

/// What is added to a flow, all of it or nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrowFlow {
    /// The `graph_revision` that the caller decided on: at any other nothing is added. When
    /// absent, it is added at any revision.
    pub expected_graph_revision: Option<u64>,
    /// New executions. One of a name that the flow has, with the same request, is that one.
    #[serde(default)]
    pub members: Vec<CreateFlowMember>,
    /// Ids of executions that exist: of the flow's namespace and on its partition, in no
    /// other flow.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub added: Vec<ExecutionId>,
    /// Edges between members, new ones and others.
    #[serde(default)]
    pub edges: Vec<FlowEdge>,
    /// Members that wait for less than everything before them, to which no edge leads yet.
    #[serde(default)]
    pub groups: Vec<FlowGroup>,
    /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the edges.
    pub actor: Option<String>,
}

/// An execution to create in a flow. At most one of `input`, `input_text` and `input_base64`
/// is given. Its namespace is the flow's, its name stands for an idempotency key, and it is
/// kept as long as the flow, so its policy has no `retention_ms`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFlowMember {
    /// Kind, which names the handler it needs.
    pub kind: String,
    /// Its name in the flow, by which edges refer to it: 1 to 128 characters of `a-z`, `A-Z`,
    /// `0-9`, `-`, `_` and `.`, beginning with a letter or digit, and not a UUID.
    pub name: Option<String>,
    /// The input, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Box<RawValue>>,
    /// The input, as text instead.
    pub input_text: Option<String>,
    /// The input, as base64 instead (standard alphabet, padded).
    pub input_base64: Option<String>,
    /// Media type of the input; when absent, that of the form it is given in.
    pub content_type: Option<String>,
    /// Lane it is queued in; `default` when absent.
    pub lane: Option<String>,
    /// 0 to 9000; within its partition a higher one is served first. 0 when absent.
    #[schema(value_type = Option<u16>, maximum = 9000)]
    pub priority: Option<i64>,
    /// Labels, `owner.name` to value; at most 32.
    #[serde(default, deserialize_with = "unique_keys")]
    pub tags: BTreeMap<String, String>,
    /// Retries, time limits and requirements; the defaults when absent.
    #[schema(value_type = Option<Policy>)]
    pub policy: Option<Box<RawValue>>,
    /// Earliest start, in milliseconds from now; excludes `delay_until`.
    pub delay_ms: Option<u64>,
    /// Earliest start (RFC 3339), from 1970 to 9999 in UTC; excludes `delay_ms`.
    #[schema(format = DateTime)]
    pub delay_until: Option<String>,
    /// Time it expires unless it has finished (RFC 3339), from 1970 to 9999 in UTC and after
    /// `delay_until`; never when absent.
    #[schema(format = DateTime)]
    pub deadline_at: Option<String>,
    /// Who creates it, for people; null when absent.
    pub creator: Option<String>,
}

impl CreateFlowMember {
    /// Returns the name in the flow, and the request for the execution alone.
    pub fn split(self) -> (Option<String>, CreateExecution) {
        let create = CreateExecution {
            kind: self.kind,
            input: self.input,
            input_text: self.input_text,
            input_base64: self.input_base64,
            content_type: self.content_type,
            namespace: None,
            lane: self.lane,
            priority: self.priority,
            idempotency_key: None,
            tags: self.tags,
            policy: self.policy,
            delay_ms: self.delay_ms,
            delay_until: self.delay_until,
            deadline_at: self.deadline_at,
            creator: self.creator,
            id: None,
        };
        (self.name, create)
    }
}

/// An edge to add: the downstream member waits for the end of the upstream one.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowEdge {
    /// The member that is waited for: its name, or the id of its execution.
    pub upstream: String,
    /// The member that waits, which must not have started: its name, or the id of its
    /// execution.
    pub downstream: String,
    /// Which ends of the upstream member satisfy it: `success_only`, `on_failure` (it failed or
    /// expired) or `always` (any end, also a skip).
    #[serde(default)]
    #[schema(value_type = String, default = "success_only")]
    pub dependency_kind: EdgeKind,
    /// The name under which the downstream member reads the result of the upstream one;
    /// written as names of members.
    pub data_passing_ref: Option<String>,
}

/// How many of the edges into a member must be satisfied; all of them where this is not said.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowGroup {
    /// The member that waits: its name, or the id of its execution.
    pub downstream: String,
    /// How many, and what becomes of the others.
    pub policy: EdgeGroupPolicy,
}

/// A flow after a request that creates it or adds to it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangedFlow {
    /// Id of the flow.
    #[schema(value_type = String)]
    pub flow_id: FlowId,
    /// Whether this request created the flow, or changed its graph: false if the same was
    /// requested before.
    pub created: bool,
    /// Grows by one with each member and each edge.
    pub graph_revision: u64,
    /// Number of members it has.
    pub node_count: u32,
    /// Number of edges it has.
    pub edge_count: u32,
    /// The members that the request creates, in its order; of a repeated creation those that
    /// have names.
    pub members: Vec<ChangedFlowMember>,
    /// Ids of the edges that the request adds, in its order; none of a repeat.
    #[schema(value_type = Vec<String>)]
    pub edge_ids: Vec<Uuid>,
}

/// A member that a request creates.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangedFlowMember {
    /// Id of its execution.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// Its name in the flow; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The state it was created in; absent if an earlier request created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<PublicState>,
}

impl From<engine::FlowChanged> for ChangedFlow {
    fn from(changed: engine::FlowChanged) -> Self {
        let member = |it: engine::MemberMade| ChangedFlowMember {
            execution_id: it.id,
            name: it.name,
            state: it.state,
        };
        Self {
            flow_id: changed.id,
            created: changed.applied,
            graph_revision: changed.graph_revision,
            node_count: changed.node_count,
            edge_count: changed.edge_count,
            members: changed.members.into_iter().map(member).collect(),
            edge_ids: changed.edges.into_iter().map(|id| id.0).collect(),
        }
    }
}
