//! Writes a batch of changes with `change.sql`.

use std::collections::HashMap;
use std::time::Instant;

use model::{EdgeKind, ExecutionId, FlowId, LeaseId, Moment, OnSatisfied, Partition, PublicState};
use time::OffsetDateTime;
use uuid::Uuid;

use super::call::{ChangeVerdict, FlowChange, PlannedMember, Written};
use crate::Error;
use crate::batch::Flush;
use crate::columns::columns;
use crate::dispatch::ReservedSlot;
use crate::execution::{capabilities_text, policy_text};
use crate::row::{bigint, count, epoch, int};
use crate::statements::Statements;

impl Flush<FlowChange> for Statements {
    type Verdict = ChangeVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<FlowChange>],
        _retried: bool,
    ) -> Result<Vec<ChangeVerdict>, Error> {
        let sent = Instant::now();
        let members: Vec<(FlowId, &PlannedMember)> = batch
            .iter()
            .flat_map(|change| change.members.iter().map(|member| (change.id, member)))
            .collect();
        let slots = self.idle_workers.reserve(members.iter().map(|(_, member)| {
            let now = !member.waits && member.call.due_now;
            now.then(|| member.call.needs())
        }));
        let classes: Vec<_> = members.iter().map(|(_, it)| it.call.class()).collect();
        let classes = self.classes.of(&self.verbs, &classes).await?;
        let mut written = self
            .change(partition, batch, &members, &classes, &slots)
            .await?;
        let mut queued = false;
        for ((flow, member), slot) in members.iter().zip(slots) {
            let Some(Some(answer)) = written.flows.get_mut(flow) else {
                continue;
            };
            match (written.others.get(&member.call.id), slot) {
                (Some((Some(lease_id), Some(at))), Some(slot)) => {
                    let mut claimed = member.call.claimed(LeaseId(*lease_id), *at);
                    claimed.flow_id = Some(*flow);
                    slot.dispatch(claimed, sent);
                    answer.states.push((member.call.id, PublicState::Active));
                }
                (Some(_), _) => answer.states.push((member.call.id, PublicState::Delayed)),
                (None, _) => queued |= !member.waits,
            }
        }
        if queued {
            self.wake.ready();
        }
        let due = batch.iter().filter(|change| {
            !change.due.is_empty() && matches!(written.flows.get(&change.id), Some(Some(_)))
        });
        self.wake.flows_due(due.map(|change| change.id));
        Ok(batch
            .iter()
            .map(|change| written.flows.remove(&change.id).flatten())
            .collect())
    }
}

/// What the statement answered.
#[derive(Default)]
struct Answer {
    flows: HashMap<FlowId, ChangeVerdict>,
    /// Leases of new members that workers got, and members that wait for a time.
    others: HashMap<ExecutionId, (Option<Uuid>, Option<OffsetDateTime>)>,
}

impl Statements {
    async fn change(
        &self,
        partition: Partition,
        batch: &[Box<FlowChange>],
        members: &[(FlowId, &PlannedMember)],
        classes: &[i32],
        slots: &[Option<ReservedSlot>],
    ) -> Result<Answer, Error> {
        let rows = columns!(
            query_file!("src/flow/change/change.sql", partition.column());
            for (change, new) in batch.iter().map(|change| (change, change.new.as_ref())) => {
                flow_ids = change.id.uuid();
                versions as Option<i64> = change.version;
                namespaces as &str = &change.namespace;
                flow_kinds as Option<&str> = new.map(|new| new.kind.as_str());
                flow_creators as Option<&str> = new.and_then(|new| new.creator.as_deref());
                keys as Option<&str> = new.and_then(|new| new.idempotency_key.as_deref());
                flow_digests as Option<&[u8]> = new.and_then(|new| new.digest.as_deref());
                flow_policies as Option<&str> = new.map(|new| new.cancellation_policy.as_str());
                nodes_add = (change.members.len() + change.joined) as i32;
                edges_add = change.edges.len() as i32;
            }
            for (flow, (key, value)) in batch.iter().flat_map(|change| {
                let tags = change.new.iter().flat_map(|new| &new.tags);
                tags.map(|tag| (change.id.uuid(), tag))
            }) => {
                tagged_flows = flow;
                flow_tag_keys as &str = key;
                flow_tag_values as &str = value;
            }
            for (((flow, member), class), slot) in members.iter().zip(classes).zip(slots) => {
                of_flows = flow.uuid();
                ids = member.call.id.uuid();
                names as Option<&str> = member.name.as_deref();
                digests as Option<&[u8]> = member.call.digest.as_deref();
                parents as Option<Uuid> = member.parent.map(ExecutionId::uuid);
                lanes as &str = &member.call.create.lane;
                kinds as &str = &member.call.create.kind;
                class_ids as Option<i32> = Some(*class);
                priorities = member.call.create.priority as i16;
                creators as Option<&str> = member.call.create.creator.as_deref();
                traceparents as Option<&str> = member.call.create.traceparent.as_deref();
                required_capabilities as Option<String> =
                    capabilities_text(&member.call.create.policy);
                inputs as &[u8] = &member.call.create.input.data;
                input_types as &str = &member.call.create.input.content_type;
                policies as Option<String> = policy_text(&member.call.create.policy);
                attempt_timeouts_ms as Option<i64> =
                    member.call.create.policy.timeout_policy.attempt_timeout_ms.map(bigint);
                reclaims_max = int(member.call.create.policy.timeout_policy.max_reclaim_count);
                delays_ms as Option<i64> = member.call.create.delay_ms.map(bigint);
                due_at as Option<OffsetDateTime> = member.call.create.delay_until.map(Moment::utc);
                deadlines_ms as Option<i64> =
                    member.call.create.policy.timeout_policy.execution_deadline_ms.map(bigint);
                deadlines_at as Option<OffsetDateTime> =
                    member.call.create.deadline_at.map(Moment::utc);
                waiting = member.waits;
                worker_instance_ids as Option<&str> =
                    slot.as_ref().map(ReservedSlot::worker_instance_id);
                lease_ttls_ms as Option<i32> = slot.as_ref().map(ReservedSlot::lease_ttl_ms);
            }
            for (id, (key, value)) in members.iter().flat_map(|(_, member)| {
                let tags = &member.call.create.tags;
                tags.iter().map(|tag| (member.call.id.uuid(), tag))
            }) => {
                tagged_ids = id;
                tag_keys as &str = key;
                tag_values as &str = value;
            }
            for (flow, member) in batch.iter().flat_map(|change| {
                change.existing.iter().map(|member| (change.id.uuid(), member))
            }) => {
                existing_flows = flow;
                existing_ids = member.id.uuid();
                joining = member.joins;
                beginning_to_wait = member.waits;
            }
            for (flow, edge) in batch.iter().flat_map(|change| {
                change.edges.iter().map(|edge| (change.id.uuid(), edge))
            }) => {
                edge_flows = flow;
                edge_ids = edge.id.0;
                upstream = edge.upstream.uuid();
                downstream = edge.downstream.uuid();
                edge_kinds as &str = EdgeKind::as_str(edge.kind);
                refs as Option<&str> = edge.data_passing_ref.as_deref();
                makers as &str = &edge.created_by;
            }
            for (flow, group) in batch.iter().flat_map(|change| {
                change.groups.iter().map(|group| (change.id.uuid(), group))
            }) => {
                group_flows = flow;
                group_ids = group.id.uuid();
                group_policies as &str = group.policy.kind();
                ks as Option<i32> = group.policy.k().map(int);
                cancels = group.policy.on_satisfied() == OnSatisfied::CancelRemaining;
                totals = int(group.total);
            }
            for (flow, id) in batch.iter().flat_map(|change| {
                change.due.iter().map(|id| (change.id.uuid(), id.uuid()))
            }) => {
                due_flows = flow;
                due_ids = id;
            }
            for (flow, fence) in batch.iter().filter_map(|change| {
                Some((change.id.uuid(), change.holder?))
            }) => {
                held_flows = flow;
                holders = fence.execution_id.uuid();
                held_leases = fence.lease_id.0;
                held_epochs = fence.epoch as i64;
            }
            for group in batch.iter().flat_map(|change| &change.groups) => {
                group_delays_ms as Option<i64> = group.delay_ms.map(bigint);
                group_due_at as Option<OffsetDateTime> = group.due_at.map(Moment::utc);
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        let mut answer = Answer::default();
        for row in rows {
            let flow = FlowId::from_uuid(row.flow_id);
            match row.execution_id {
                Some(id) => {
                    let lease = (row.lease_id, row.lease_expires_at);
                    answer.others.insert(ExecutionId::from_uuid(id), lease);
                }
                None => {
                    let written = Written {
                        graph_revision: epoch(row.graph_revision),
                        node_count: count(row.node_count),
                        edge_count: count(row.edge_count),
                        states: Vec::new(),
                    };
                    answer.flows.insert(flow, Some(written));
                }
            }
        }
        Ok(answer)
    }
}
