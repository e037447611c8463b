//! Edges of flows.

use model::{EdgeKind, EdgeState, ExecutionId, FlowId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::Unreadable;

/// What satisfies the group of an edge, as FlowFabric's edges name it: the policy of the group
/// says what it is.
const SATISFACTION_CONDITION: &str = "all_required";

/// An edge of a flow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Edge {
    /// Id of the edge.
    #[schema(value_type = String)]
    pub edge_id: Uuid,
    /// The flow that has it.
    #[schema(value_type = String)]
    pub flow_id: FlowId,
    /// The member that is waited for.
    #[schema(value_type = String)]
    pub upstream_execution_id: ExecutionId,
    /// The member that waits.
    #[schema(value_type = String)]
    pub downstream_execution_id: ExecutionId,
    /// Which ends of the upstream member satisfy it: `success_only`, `on_failure` or `always`.
    #[schema(value_type = String)]
    pub dependency_kind: EdgeKind,
    /// `all_required`: the policy of the edge's group says how many edges are.
    pub satisfaction_condition: String,
    /// The name under which the downstream member reads the result of the upstream one; null
    /// if it does not.
    pub data_passing_ref: Option<String>,
    /// `pending` until the upstream member ends, then `satisfied` or `impossible`.
    #[schema(value_type = String)]
    pub edge_state: EdgeState,
    /// Time it was made.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// Name of the caller who made it.
    pub created_by: String,
}

impl Edge {
    /// Shows an edge of a flow.
    pub fn new(flow_id: FlowId, edge: engine::EdgeInfo) -> Self {
        Self {
            edge_id: edge.id.0,
            flow_id,
            upstream_execution_id: edge.upstream,
            downstream_execution_id: edge.downstream,
            dependency_kind: edge.kind,
            satisfaction_condition: SATISFACTION_CONDITION.to_owned(),
            data_passing_ref: edge.data_passing_ref,
            edge_state: edge.state,
            created_at: edge.created_at,
            created_by: edge.created_by,
        }
    }
}

/// A page of the edges of a flow, by the members they lead to; those of one member in the
/// order of their creation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Edges {
    /// The edges of the page.
    pub edges: Vec<Edge>,
    /// Rows of the page that this version cannot read; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Edges {
    /// Shows a page of edges; `cursor` makes the cursor of the next one from the place of the
    /// last row.
    pub fn new<P>(
        flow_id: FlowId,
        found: engine::Page<engine::EdgeInfo, P>,
        cursor: impl FnOnce(&P) -> String,
    ) -> Self {
        let next_cursor = found.next().map(cursor);
        let edges = found.rows.into_iter();
        Self {
            edges: edges.map(|edge| Edge::new(flow_id, edge)).collect(),
            unreadable: found.unreadable.into_iter().map(Into::into).collect(),
            next_cursor,
        }
    }
}

impl crate::api::Listing for Edges {
    const ROWS: &'static str = "edges";

    fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}
