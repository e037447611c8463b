//! Reads: the members of a flow and the edges between them.

use model::{
    BlockingReason, EdgeGroup, EdgeGroupState, EdgeId, EdgeKind, EdgeState, ExecutionId,
    FlowCancellationPolicy, FlowEligibility, FlowId, Limits, PublicState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::get::FlowInfo;
use crate::flow::change::stored_policy;
use crate::row::{count, label};
use crate::{Engine, Error, ExecutionInfo, Page};

/// A member of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowMember {
    /// Its name in the flow.
    pub name: Option<String>,
    /// The member whose handler started it; absent if none did.
    pub parent_id: Option<ExecutionId>,
    /// The edges into it, counted; absent if there are none.
    pub group: Option<EdgeGroup>,
    /// The execution as it is now.
    pub execution: ExecutionInfo,
}

/// An edge of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeInfo {
    /// The id it was given.
    pub id: EdgeId,
    /// The member that is waited for.
    pub upstream: ExecutionId,
    /// The member that waits.
    pub downstream: ExecutionId,
    /// 0, or the number of the wait for children that it belongs to.
    pub wait: u32,
    /// Which ends of the upstream member satisfy it.
    pub kind: EdgeKind,
    /// The name under which the downstream member reads the result.
    pub data_passing_ref: Option<String>,
    /// What has become of it.
    pub state: EdgeState,
    /// When it was made, by the database's clock.
    pub created_at: OffsetDateTime,
    /// The caller or the execution that made it.
    pub created_by: String,
}

/// The place of an edge in the list of all edges of a flow.
pub type EdgePlace = (ExecutionId, u32, ExecutionId);

/// The edges that lead to or from one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeDirection {
    /// Those that lead away from it.
    Outgoing(ExecutionId),
    /// Those that lead to it.
    Incoming(ExecutionId),
}

impl Engine {
    /// Lists the members of a flow in the order of their ids, which is that of their
    /// creation; those after a given one, at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`].
    pub async fn flow_members(
        &self,
        flow: &FlowInfo,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Result<Page<FlowMember, ExecutionId>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = sqlx::query_file!(
            "src/flow/read/members.sql",
            flow.id.partition().column(),
            flow.id.uuid(),
            after.map(ExecutionId::uuid),
            i64::from(limit) + 1
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let ids = rows
            .iter()
            .map(|row| ExecutionId::from_uuid(row.execution_id));
        let infos = self.infos(&ids.collect::<Vec<_>>()).await?;
        let members = rows.into_iter().zip(infos).filter_map(|(row, info)| {
            let id = row.execution_id;
            // One that retention has removed in between is a member no more.
            let info = info?;
            let read = || {
                let group = match (&row.policy, &row.state) {
                    (Some(policy), Some(state)) => Some(EdgeGroup {
                        policy: stored_policy(id, policy, row.k, row.cancel_remaining)?,
                        total: count(row.total.unwrap_or_default()),
                        satisfied: count(row.satisfied.unwrap_or_default()),
                        failed: count(row.failed.unwrap_or_default()),
                        skipped: count(row.skipped.unwrap_or_default()),
                        state: shown(flow, label("flow_group", "state", id, state)?),
                    }),
                    _ => None,
                };
                Ok(FlowMember {
                    name: row.name,
                    parent_id: row.parent_id.map(ExecutionId::from_uuid),
                    group,
                    execution: info?,
                })
            };
            Some((ExecutionId::from_uuid(id), read()))
        });
        Page::read(limit, members)
    }

    /// Lists all edges of a flow by the members they lead to.
    pub async fn flow_edges(
        &self,
        flow: FlowId,
        after: Option<EdgePlace>,
        limit: u32,
    ) -> Result<Page<EdgeInfo, EdgePlace>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = sqlx::query_file_as!(
            EdgeRow,
            "src/flow/read/all_edges.sql",
            flow.partition().column(),
            flow.uuid(),
            after.map(|(downstream, ..)| downstream.uuid()),
            after.map(|(.., upstream)| upstream.uuid()),
            after.map(|(_, wait, _)| i32::try_from(wait).unwrap_or(i32::MAX)),
            i64::from(limit) + 1
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::read(
            limit,
            rows.into_iter().map(|row| {
                let id = ExecutionId::from_uuid;
                let place = (id(row.downstream), count(row.wait), id(row.upstream));
                (place, EdgeInfo::try_from(row))
            }),
        )
    }

    /// Lists the edges to or from one member, in the order in which they were made.
    pub async fn flow_edges_of(
        &self,
        flow: FlowId,
        direction: EdgeDirection,
        after: Option<EdgeId>,
        limit: u32,
    ) -> Result<Page<EdgeInfo, EdgeId>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let (upstream, downstream) = match direction {
            EdgeDirection::Outgoing(id) => (Some(id.uuid()), None),
            EdgeDirection::Incoming(id) => (None, Some(id.uuid())),
        };
        let rows = sqlx::query_file_as!(
            EdgeRow,
            "src/flow/read/edges.sql",
            flow.partition().column(),
            flow.uuid(),
            upstream,
            downstream,
            after.map(|id| id.0),
            i64::from(limit) + 1
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let edges = rows.into_iter();
        Page::read(
            limit,
            edges.map(|row| (EdgeId(row.id), EdgeInfo::try_from(row))),
        )
    }

    /// Reads one edge of a flow.
    pub async fn flow_edge(&self, flow: FlowId, edge: EdgeId) -> Result<Option<EdgeInfo>, Error> {
        let row = sqlx::query_as!(
            EdgeRow,
            r#"SELECT id, upstream, downstream, wait, kind::text AS "kind!", data_passing_ref,
                      state::text AS "state!", created_at, created_by
               FROM flow_edge WHERE partition = $1 AND id = $2 AND flow_id = $3"#,
            flow.partition().column(),
            edge.0,
            flow.uuid()
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        row.map(EdgeInfo::try_from).transpose()
    }

    /// Returns whether a member can be run, and if not, why.
    pub async fn flow_eligibility(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<FlowEligibility, Error> {
        let Some(info) = self.get(id, namespace).await? else {
            return Ok(FlowEligibility::NotFound);
        };
        if info.flow_id.is_none() {
            return Ok(FlowEligibility::NotFound);
        }
        Ok(match info.public_state {
            PublicState::Active => FlowEligibility::Owned,
            state if state.is_terminal() => FlowEligibility::Terminal,
            PublicState::WaitingChildren => {
                let group = self.group_state(id).await?;
                match group {
                    Some(EdgeGroupState::Impossible) => FlowEligibility::Impossible,
                    _ => FlowEligibility::BlockedByDependencies,
                }
            }
            PublicState::Waiting if info.blocking_reason == BlockingReason::WaitingForWorker => {
                FlowEligibility::Eligible
            }
            _ => FlowEligibility::NotRunnable,
        })
    }

    /// Reads how the group stands that a member waits in before its first attempt; `None`
    /// without one.
    pub(crate) async fn group_state(
        &self,
        id: ExecutionId,
    ) -> Result<Option<EdgeGroupState>, Error> {
        let state = sqlx::query_scalar!(
            r#"SELECT state::text AS "state!" FROM flow_group
               WHERE partition = $1 AND execution_id = $2 AND wait = 0 AND total > 0"#,
            id.partition().column(),
            id.uuid()
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        state
            .map(|state| label("flow_group", "state", id, &state))
            .transpose()
    }
}

/// A group that was not decided when its flow was cancelled never will be.
fn shown(flow: &FlowInfo, state: EdgeGroupState) -> EdgeGroupState {
    let decides = flow.cancelled_at.is_none()
        || flow.cancellation_policy == FlowCancellationPolicy::CancelFlowOnly;
    match state {
        EdgeGroupState::Pending if !decides => EdgeGroupState::Cancelled,
        state => state,
    }
}

/// A row of a list of edges.
struct EdgeRow {
    id: Uuid,
    upstream: Uuid,
    downstream: Uuid,
    wait: i32,
    kind: String,
    data_passing_ref: Option<String>,
    state: String,
    created_at: OffsetDateTime,
    created_by: String,
}

impl TryFrom<EdgeRow> for EdgeInfo {
    type Error = Error;

    fn try_from(row: EdgeRow) -> Result<Self, Error> {
        Ok(Self {
            id: EdgeId(row.id),
            upstream: ExecutionId::from_uuid(row.upstream),
            downstream: ExecutionId::from_uuid(row.downstream),
            wait: count(row.wait),
            kind: label("flow_edge", "kind", row.id, &row.kind)?,
            data_passing_ref: row.data_passing_ref,
            state: label("flow_edge", "state", row.id, &row.state)?,
            created_at: row.created_at,
            created_by: row.created_by,
        })
    }
}
