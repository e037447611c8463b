//! Reads what ended, and writes what follows, with `due.sql`, `edges.sql` and `resolve.sql`.

use std::collections::HashSet;
use std::time::Instant;

use model::{EdgeGroup, EdgeState, ExecutionId, FlowId, Outcome, Partition};
use uuid::Uuid;

use super::plan::{Due, Resolution, WaitingEdge, Waits};
use crate::Error;
use crate::columns::columns;
use crate::dispatch::{Requirements, ReservedSlot};
use crate::flow::change::stored_policy;
use crate::lease::{ClaimedRow, claimed};
use crate::row::{count, int, label, optional_label};
use crate::statements::Statements;

/// Members that one statement takes note of at most.
pub(super) const DUE_MAX: usize = 1000;

/// What became of one attempt to resolve flows.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// How many members were taken note of.
    pub(super) noted: usize,
    /// Flows that changed meanwhile, or of which there is more.
    pub(super) again: Vec<FlowId>,
    /// Flows of which members are to be cancelled.
    pub(super) cancels: Vec<FlowId>,
}

impl Statements {
    /// Takes note of members of these flows, of one partition, that ended.
    pub(super) async fn resolve(
        &self,
        partition: Partition,
        flows: &[FlowId],
    ) -> Result<Resolved, Error> {
        let due = self.due(partition, flows).await?;
        if due.is_empty() {
            return Ok(Resolved::default());
        }
        let full = due.len() >= DUE_MAX;
        let mut resolution = Resolution::of(due);
        self.forget(partition, &resolution.orphans).await?;
        loop {
            let ids = resolution.asks_for();
            if ids.is_empty() {
                break;
            }
            let edges = self.waiting_edges(partition, &ids).await?;
            resolution.follow(edges);
        }
        let (applied, cancels) = self.write(partition, &mut resolution).await?;
        let noted = resolution.noted.iter();
        let open = resolution.skipped.iter().filter(|skipped| skipped.open);
        let mut again: HashSet<FlowId> = open.map(|skipped| skipped.flow).collect();
        again.extend(
            resolution
                .flows
                .keys()
                .filter(|id| full || !applied.contains(id)),
        );
        Ok(Resolved {
            noted: noted.filter(|(flow, ..)| applied.contains(flow)).count(),
            again: again.into_iter().collect(),
            cancels,
        })
    }

    async fn due(&self, partition: Partition, flows: &[FlowId]) -> Result<Vec<Due>, Error> {
        let flows: Vec<Uuid> = flows.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query_file!(
            "src/flow/resolve/due.sql",
            partition.column(),
            &flows,
            DUE_MAX as i64
        )
        .fetch_all(&self.verbs)
        .await?;
        rows.into_iter()
            .map(|row| {
                let (flow, id) = (row.flow_id, row.execution_id);
                Ok(Due {
                    flow: FlowId::from_uuid(flow),
                    id: ExecutionId::from_uuid(id),
                    epoch: row.epoch,
                    version: row.version,
                    cancelled: optional_label("flow", "cancel_policy", flow, row.cancel_policy)?,
                    default_policy: optional_label(
                        "flow",
                        "default_policy",
                        flow,
                        row.default_policy,
                    )?,
                    known: optional_label("flow_member", "outcome", id, row.known)?,
                    outcome: optional_label("finished", "outcome", id, row.outcome)?,
                })
            })
            .collect()
    }

    /// Removes what is left of flows that are gone.
    async fn forget(
        &self,
        partition: Partition,
        orphans: &[(FlowId, ExecutionId)],
    ) -> Result<(), Error> {
        if orphans.is_empty() {
            return Ok(());
        }
        let flows: Vec<Uuid> = orphans.iter().map(|(flow, _)| flow.uuid()).collect();
        sqlx::query!(
            "DELETE FROM flow_due d
             WHERE d.partition = $1 AND d.flow_id = ANY ($2)
               AND NOT EXISTS (SELECT FROM flow f WHERE f.partition = $1 AND f.id = d.flow_id)",
            partition.column(),
            &flows
        )
        .execute(&self.verbs)
        .await?;
        Ok(())
    }

    async fn waiting_edges(
        &self,
        partition: Partition,
        ids: &[ExecutionId],
    ) -> Result<Vec<WaitingEdge>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query_file!("src/flow/resolve/edges.sql", partition.column(), &ids)
            .fetch_all(&self.verbs)
            .await?;
        rows.into_iter()
            .map(|row| {
                let id = row.downstream;
                let cancels = Some(row.cancel_remaining);
                let capabilities = row.required_capabilities.as_deref().unwrap_or_default();
                let capabilities = capabilities.split(',').filter(|it| !it.is_empty());
                let group = EdgeGroup {
                    policy: stored_policy(id, &row.policy, row.k, cancels)?,
                    total: count(row.total),
                    satisfied: count(row.satisfied),
                    failed: count(row.failed),
                    skipped: count(row.skipped),
                    state: label("flow_group", "state", id, &row.state)?,
                };
                Ok(WaitingEdge {
                    flow: FlowId::from_uuid(row.flow_id),
                    upstream: ExecutionId::from_uuid(row.upstream),
                    downstream: ExecutionId::from_uuid(id),
                    wait: row.wait,
                    kind: label("flow_edge", "kind", id, &row.kind)?,
                    group,
                    waits: row.lane.map(|lane| Waits {
                        lane,
                        kind: row.execution_kind,
                        capabilities: capabilities.map(str::to_owned).collect(),
                        delayed: row.delayed.unwrap_or_default(),
                    }),
                })
            })
            .collect()
    }

    /// Writes a resolution; returns the flows of which it was written, and those of which
    /// members are to be cancelled.
    async fn write(
        &self,
        partition: Partition,
        resolution: &mut Resolution,
    ) -> Result<(HashSet<FlowId>, Vec<FlowId>), Error> {
        let sent = Instant::now();
        resolution.released.sort_unstable_by_key(|it| it.id);
        resolution.skipped.sort_unstable_by_key(|it| it.id);
        let slots = self
            .idle_workers
            .reserve(resolution.released.iter().map(|it| {
                // One that resumes needs more than its row to begin with.
                let now = it.wait == 0 && !it.waits.delayed;
                now.then(|| Requirements {
                    lane: &it.waits.lane,
                    kind: &it.waits.kind,
                    capabilities: &it.waits.capabilities,
                })
            }));
        let rows = columns!(
            query_file!("src/flow/resolve/resolve.sql", partition.column());
            for (flow, now) in &resolution.flows => {
                flow_ids = flow.uuid();
                versions = now.version;
                ended = now.ended;
                bad = now.bad;
            }
            for (flow, id, epoch) in &resolution.noted => {
                noted_flows = flow.uuid();
                noted_ids = id.uuid();
                noted_epochs = *epoch;
            }
            for (flow, id, outcome) in &resolution.outcomes => {
                outcome_flows = flow.uuid();
                outcome_ids = id.uuid();
                outcomes as &str = Outcome::as_str(*outcome);
            }
            for (flow, upstream, downstream, wait, state) in &resolution.edges => {
                edge_flows = flow.uuid();
                upstreams = upstream.uuid();
                downstreams = downstream.uuid();
                edge_waits = *wait;
                edge_states as &str = EdgeState::as_str(*state);
            }
            for ((id, wait), now) in &resolution.groups => {
                group_flows = now.flow.uuid();
                group_ids = id.uuid();
                group_waits = *wait;
                satisfied = int(now.group.satisfied);
                failed = int(now.group.failed);
                skipped = int(now.group.skipped);
                group_states as &str = now.group.state.as_str();
                cancel_reasons as Option<&str> = now.cancels;
            }
            for (it, slot) in resolution.released.iter().zip(&slots) => {
                released_flows = it.flow.uuid();
                released_ids = it.id.uuid();
                released_waits = it.wait;
                workers as Option<&str> = slot.as_ref().map(ReservedSlot::worker_instance_id);
                lease_ttls_ms as Option<i32> = slot.as_ref().map(ReservedSlot::lease_ttl_ms);
            }
            for it in &resolution.skipped => {
                skipped_flows = it.flow.uuid();
                skipped_ids = it.id.uuid();
                reasons as &str = &it.why;
                open = it.open;
            }
            for (flow, id, running) in &resolution.parents => {
                parent_flows = flow.uuid();
                parents = id.uuid();
                also_running = *running;
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        let mut applied = HashSet::new();
        let mut cancels = HashSet::new();
        let mut leases = Vec::new();
        for row in rows {
            let flow = FlowId::from_uuid(row.applied);
            applied.insert(flow);
            if row.cancels > 0 {
                cancels.insert(flow);
            }
            let lease = || {
                Some(ClaimedRow {
                    execution_id: row.execution_id?,
                    lease_id: row.lease_id?,
                    epoch: row.epoch?,
                    attempt: row.attempt?,
                    expires_at: row.expires_at?,
                    attempt_type: row.attempt_type?,
                    resumes: row.resumes?,
                    namespace: row.namespace?,
                    lane: row.lane?,
                    kind: row.kind?,
                    creator: row.creator,
                    flow_id: Some(row.applied),
                    traceparent: row.traceparent,
                    input: row.input?,
                    input_type: row.input_type?,
                    policy: row.policy,
                    attempt_timeout_ms: row.attempt_timeout_ms,
                    retries: row.retries?,
                    tags: row.tags,
                })
            };
            leases.extend(lease());
        }
        let mut leases: std::collections::HashMap<ExecutionId, _> = claimed(leases)
            .into_iter()
            .map(|claimed| (claimed.fence.execution_id, claimed))
            .collect();
        let mut queued = false;
        for (it, slot) in resolution.released.iter().zip(slots) {
            match (leases.remove(&it.id), slot) {
                (Some(claimed), Some(slot)) => slot.dispatch(claimed, sent),
                _ => queued |= applied.contains(&it.flow) && !it.waits.delayed,
            }
        }
        if queued {
            self.wake.ready();
        }
        let skipped = resolution.skipped.iter();
        let skipped = skipped.filter(|it| applied.contains(&it.flow));
        let ends: Vec<_> = skipped.map(|it| (it.id, Outcome::Skipped)).collect();
        self.wake.finished(&ends);
        Ok((applied, cancels.into_iter().collect()))
    }
}
