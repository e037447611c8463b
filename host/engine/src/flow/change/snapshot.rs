//! What a change of a flow is decided on, read before it.

use std::collections::HashMap;

use model::{
    EdgeDependencyPolicy, EdgeGroup, EdgeGroupState, EdgeId, ExecutionId, FlowId, OnSatisfied,
    StateKind,
};
use uuid::Uuid;

use crate::Error;
use crate::database::Pool;
use crate::row::{count, epoch, label};

/// A flow as it is before a change, and the executions that the change names.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) flow: Option<FlowRow>,
    pub(super) executions: HashMap<ExecutionId, ExecutionRow>,
    /// Members by their names.
    names: HashMap<String, ExecutionId>,
    /// Edges that join pairs of members which the change would join.
    pub(super) between: HashMap<(ExecutionId, ExecutionId), EdgeId>,
    /// Edges that lead away from members into which the change leads edges.
    pub(super) reachable: Vec<(ExecutionId, ExecutionId)>,
}

/// The row of the flow.
#[derive(Debug)]
pub(super) struct FlowRow {
    pub(super) version: i64,
    pub(super) graph_revision: u64,
    pub(super) node_count: u32,
    pub(super) edge_count: u32,
    pub(super) cancelled: bool,
}

/// An execution of the instance.
#[derive(Debug)]
pub(super) struct ExecutionRow {
    pub(super) namespace: String,
    pub(super) flow_id: Option<FlowId>,
    /// Its name in the flow.
    pub(super) name: Option<String>,
    /// Of the request that created it in the flow.
    pub(super) digest: Option<Vec<u8>>,
    pub(super) state: StateKind,
    pub(super) attempts: u32,
    /// The edges into it, if there are any or a policy was set for them.
    pub(super) group: Option<EdgeGroup>,
}

impl Snapshot {
    /// Returns the member with this name.
    pub(super) fn named(&self, name: &str) -> Option<(ExecutionId, &ExecutionRow)> {
        let id = self.names.get(name)?;
        Some((*id, self.executions.get(id)?))
    }

    /// Reads the flow, executions by their ids, and members by their names.
    pub(super) async fn read(
        pool: &Pool,
        flow: FlowId,
        ids: &[Uuid],
        names: &[String],
    ) -> Result<Self, Error> {
        let rows = sqlx::query_file!(
            "src/flow/change/snapshot.sql",
            flow.partition().column(),
            flow.uuid(),
            ids,
            names
        )
        .fetch_all(pool)
        .await?;
        let mut snapshot = Self::default();
        for row in rows {
            let Some(id) = row.execution_id else {
                snapshot.flow = Some(FlowRow {
                    version: row.version.unwrap_or_default(),
                    graph_revision: epoch(row.graph_revision.unwrap_or_default()),
                    node_count: count(row.node_count.unwrap_or_default()),
                    edge_count: count(row.edge_count.unwrap_or_default()),
                    cancelled: row.cancelled.unwrap_or_default(),
                });
                continue;
            };
            let group = match (row.group_policy, row.group_state) {
                (Some(policy), Some(state)) => Some(EdgeGroup {
                    policy: stored_policy(id, &policy, row.group_k, row.group_cancel_remaining)?,
                    total: count(row.group_total.unwrap_or_default()),
                    satisfied: count(row.group_satisfied.unwrap_or_default()),
                    failed: count(row.group_failed.unwrap_or_default()),
                    skipped: count(row.group_skipped.unwrap_or_default()),
                    state: label("flow_group", "state", id, &state)?,
                }),
                _ => None,
            };
            let state = row.state.as_deref().unwrap_or_default();
            let execution = ExecutionRow {
                namespace: row.execution_namespace.unwrap_or_default(),
                flow_id: row.flow_id.map(FlowId::from_uuid),
                name: row.name,
                digest: row.request_digest,
                state: label("parked", "state", id, state)?,
                attempts: count(row.attempts.unwrap_or_default()),
                group,
            };
            let id = ExecutionId::from_uuid(id);
            if let Some(name) = &execution.name {
                snapshot.names.insert(name.clone(), id);
            }
            snapshot.executions.insert(id, execution);
        }
        Ok(snapshot)
    }

    /// Adds the edges that join these pairs, and those that lead away from the downstream
    /// ones.
    pub(super) async fn read_edges(
        &mut self,
        pool: &Pool,
        flow: FlowId,
        pairs: &[(ExecutionId, ExecutionId)],
    ) -> Result<(), Error> {
        let (upstream, downstream): (Vec<Uuid>, Vec<Uuid>) = pairs
            .iter()
            .map(|(upstream, downstream)| (upstream.uuid(), downstream.uuid()))
            .unzip();
        let partition = flow.partition().column();
        let id = ExecutionId::from_uuid;
        let rows = sqlx::query_file!(
            "src/flow/change/between.sql",
            partition,
            &upstream,
            &downstream
        )
        .fetch_all(pool)
        .await?;
        let between = rows.into_iter();
        self.between
            .extend(between.map(|row| ((id(row.upstream), id(row.downstream)), EdgeId(row.id))));
        let rows = sqlx::query_file!("src/flow/change/reachable.sql", partition, &downstream)
            .fetch_all(pool)
            .await?;
        let reachable = rows.into_iter();
        self.reachable
            .extend(reachable.map(|row| (id(row.upstream), id(row.downstream))));
        Ok(())
    }
}

/// Reads the policy of a group.
pub(in crate::flow) fn stored_policy(
    id: Uuid,
    kind: &str,
    k: Option<i32>,
    cancel_remaining: Option<bool>,
) -> Result<EdgeDependencyPolicy, Error> {
    let on_satisfied = match cancel_remaining {
        Some(true) => OnSatisfied::CancelRemaining,
        _ => OnSatisfied::LetRun,
    };
    match (kind, k) {
        ("all_of", _) => Ok(EdgeDependencyPolicy::AllOf),
        ("any_of", _) => Ok(EdgeDependencyPolicy::AnyOf { on_satisfied }),
        ("quorum", Some(k)) => Ok(EdgeDependencyPolicy::Quorum {
            k: count(k),
            on_satisfied,
        }),
        (other, _) => Err(Error::corrupt("flow_group", "policy", id, other)),
    }
}

/// Whether a group takes no more edges.
pub(super) fn is_decided(group: &EdgeGroup) -> bool {
    group.state != EdgeGroupState::Pending
}
