//! Decides what a request changes in a flow: a pure function of the request and of what was
//! read before it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{
    EdgeDependencyPolicy, EdgeGroup, EdgeId, ExecutionId, Fence, FlowId, FlowRefusal, Invalid,
    Limits, PublicState, StateKind, ensure, find_cycle,
};

use super::call::{ExistingMember, FlowChange, NewFlow, PlannedEdge, PlannedGroup, PlannedMember};
use super::snapshot::{ExecutionRow, Snapshot, is_decided};
use crate::execution::CreateCall;
use crate::flow::request::{Graph, MemberMade, MemberRef, NewEdge};

/// What a request comes to.
pub(super) enum Planned {
    /// It changes the flow so.
    Change(Box<FlowChange>, Vec<MemberMade>),
    /// It asks for nothing that is not there.
    Nothing(Vec<MemberMade>),
}

/// A request whose parts have ids.
pub(super) struct Numbered<'a> {
    pub(super) flow: FlowId,
    /// The namespace of the flow.
    pub(super) namespace: &'a str,
    pub(super) graph: &'a Graph,
    /// The new executions, in the order of the request.
    pub(super) calls: &'a [Arc<CreateCall>],
    /// Ids of the edges, in the order of the request.
    pub(super) edge_ids: &'a [EdgeId],
    /// The lease of the handler that asks, whose execution is the parent of the new members.
    pub(super) holder: Option<Fence>,
    pub(super) actor: &'a str,
}

/// Resolves names and ids to executions.
struct Nodes<'a> {
    flow: FlowId,
    names: HashMap<&'a str, ExecutionId>,
    members: HashSet<ExecutionId>,
    shown: HashMap<ExecutionId, String>,
}

impl Nodes<'_> {
    fn find(&self, member: &MemberRef) -> Result<ExecutionId, FlowRefusal> {
        let found = match member {
            MemberRef::Name(name) => self.names.get(name.as_str()).copied(),
            MemberRef::Id(id) => self.members.contains(id).then_some(*id),
        };
        found.ok_or_else(|| FlowRefusal::ExecutionNotInFlow(member.to_string()))
    }

    fn show(&self, id: ExecutionId) -> String {
        let shown = self.shown.get(&id);
        shown.cloned().unwrap_or_else(|| id.to_string())
    }
}

impl Numbered<'_> {
    /// Decides the change of a flow, a new one if `new` is given.
    pub(super) fn plan(
        &self,
        snapshot: &Snapshot,
        new: Option<NewFlow>,
    ) -> Result<Planned, FlowRefusal> {
        let mut made = Vec::with_capacity(self.calls.len());
        let mut created = Vec::new();
        let mut nodes = self.nodes(snapshot)?;
        for (member, call) in self.graph.members.iter().zip(self.calls) {
            let existing = member.name.as_deref().and_then(|name| snapshot.named(name));
            if let Some((id, row)) = existing {
                if row.digest != call.digest {
                    return Err(FlowRefusal::IdempotencyConflict {
                        what: format!("member `{}`", member.name.as_deref().unwrap_or_default()),
                        existing: id.to_string(),
                    });
                }
                made.push(MemberMade {
                    id,
                    name: member.name.clone(),
                    state: None,
                });
            } else {
                created.push(call);
                made.push(MemberMade {
                    id: call.id,
                    name: member.name.clone(),
                    state: Some(PublicState::Waiting),
                });
            }
        }
        let joins = self.joining(snapshot, &mut nodes)?;
        let edges = self.edges(snapshot, &nodes)?;
        self.check_size(snapshot, created.len() + joins.len(), edges.len())?;
        self.check_cycle(snapshot, &nodes, &edges)?;
        let new_calls: HashMap<ExecutionId, &Arc<CreateCall>> =
            created.iter().map(|call| (call.id, *call)).collect();
        let groups = self.groups(snapshot, &nodes, &edges, &new_calls)?;
        let waiting: HashSet<ExecutionId> = edges.iter().map(|edge| edge.downstream).collect();
        let mut existing: HashMap<ExecutionId, ExistingMember> = HashMap::new();
        for id in &joins {
            let member = existing.entry(*id).or_insert(ExistingMember::of(*id));
            member.joins = true;
        }
        for id in waiting.iter().filter(|id| !new_calls.contains_key(id)) {
            let row = &snapshot.executions[id];
            if row.state != StateKind::WaitingChildren {
                existing.entry(*id).or_insert(ExistingMember::of(*id)).waits = true;
            }
        }
        let ended = |id: &ExecutionId| {
            let row = snapshot.executions.get(id);
            row.is_some_and(|row| row.state == StateKind::Terminal)
        };
        let upstream = edges.iter().map(|edge| edge.upstream).filter(ended);
        let due: HashSet<ExecutionId> = joins.iter().copied().chain(upstream).collect();
        if new.is_none() && created.is_empty() && existing.is_empty() && edges.is_empty() {
            let set = groups.iter().any(|group| group.is_new_policy);
            if !set {
                return Ok(Planned::Nothing(made));
            }
        }
        let names: HashMap<ExecutionId, &str> =
            nodes.names.iter().map(|(n, id)| (*id, *n)).collect();
        let members = created.into_iter().map(|call| PlannedMember {
            name: names.get(&call.id).map(|name| (*name).to_owned()),
            parent: self.holder.map(|fence| fence.execution_id),
            waits: waiting.contains(&call.id),
            call: Arc::clone(call),
        });
        let mut existing: Vec<_> = existing.into_values().collect();
        existing.sort_unstable_by_key(|member| member.id);
        let mut due: Vec<_> = due.into_iter().collect();
        due.sort_unstable();
        let flow = snapshot.flow.as_ref();
        let change = FlowChange {
            id: self.flow,
            namespace: self.namespace.to_owned(),
            version: flow.map(|flow| flow.version),
            members: members.collect(),
            joined: joins.len(),
            new,
            existing,
            edges,
            groups,
            due,
            holder: self.holder,
        };
        for member in &mut made {
            if member.state.is_some() && waiting.contains(&member.id) {
                member.state = Some(PublicState::WaitingChildren);
            }
        }
        Ok(Planned::Change(Box::new(change), made))
    }

    /// Whether an earlier try of this very request was applied: its ids are there.
    pub(super) fn was_applied(&self, snapshot: &Snapshot) -> bool {
        let there = |call: &Arc<CreateCall>| snapshot.executions.contains_key(&call.id);
        let own: HashSet<&EdgeId> = self.edge_ids.iter().collect();
        let mut between = snapshot.between.values();
        self.calls.iter().any(there) || between.any(|id| own.contains(id))
    }

    /// Returns who can be named: new members, those of the flow that the request names, and
    /// later those that it adds.
    fn nodes<'a>(&'a self, snapshot: &'a Snapshot) -> Result<Nodes<'a>, FlowRefusal> {
        let mut nodes = Nodes {
            flow: self.flow,
            names: HashMap::new(),
            members: HashSet::new(),
            shown: HashMap::new(),
        };
        for (id, row) in &snapshot.executions {
            if row.flow_id == Some(self.flow) {
                nodes.members.insert(*id);
                if let Some(name) = &row.name {
                    nodes.names.insert(name, *id);
                    nodes.shown.insert(*id, name.clone());
                }
            }
        }
        let mut given = HashSet::new();
        for (member, call) in self.graph.members.iter().zip(self.calls) {
            if let Some(name) = &member.name {
                ensure("members", given.insert(name), || {
                    format!("two members have the name `{name}`")
                })?;
                if nodes.names.contains_key(name.as_str()) {
                    continue;
                }
                nodes.names.insert(name, call.id);
                nodes.shown.insert(call.id, name.clone());
            }
            nodes.members.insert(call.id);
        }
        Ok(nodes)
    }

    /// Returns the executions that join the flow and are not in it.
    fn joining(
        &self,
        snapshot: &Snapshot,
        nodes: &mut Nodes<'_>,
    ) -> Result<Vec<ExecutionId>, FlowRefusal> {
        let mut joining = Vec::new();
        for id in &self.graph.added {
            if id.partition() != self.flow.partition() {
                return Err(FlowRefusal::OtherPartition {
                    execution: *id,
                    on: id.partition().number(),
                    of: self.flow.partition().number(),
                });
            }
            let row = snapshot.executions.get(id);
            let row = row.filter(|row| row.namespace == self.namespace);
            match row.ok_or(FlowRefusal::ExecutionNotFound(*id))?.flow_id {
                Some(flow) if flow == nodes.flow => {}
                Some(flow) => {
                    return Err(FlowRefusal::AlreadyInFlow {
                        execution: *id,
                        flow,
                    });
                }
                None if nodes.members.insert(*id) => joining.push(*id),
                None => {}
            }
        }
        joining.sort_unstable();
        Ok(joining)
    }

    fn edges(
        &self,
        snapshot: &Snapshot,
        nodes: &Nodes<'_>,
    ) -> Result<Vec<PlannedEdge>, FlowRefusal> {
        let mut joined: HashMap<(ExecutionId, ExecutionId), EdgeId> = HashMap::new();
        let given = self.graph.edges.iter().zip(self.edge_ids);
        given
            .map(|(edge, id): (&NewEdge, &EdgeId)| {
                let upstream = nodes.find(&edge.upstream)?;
                let downstream = nodes.find(&edge.downstream)?;
                if upstream == downstream {
                    return Err(FlowRefusal::SelfReferencingEdge(nodes.show(upstream)));
                }
                let pair = (upstream, downstream);
                let existing = snapshot.between.get(&pair).copied();
                if let Some(existing) = joined.insert(pair, *id).or(existing) {
                    return Err(FlowRefusal::DependencyAlreadyExists {
                        upstream: nodes.show(upstream),
                        downstream: nodes.show(downstream),
                        existing,
                    });
                }
                if let Some(row) = snapshot.executions.get(&downstream)
                    && let Some(why) = takes_no_edge(row)
                {
                    let member = nodes.show(downstream);
                    return Err(FlowRefusal::InvalidDependency { member, why });
                }
                Ok(PlannedEdge {
                    id: *id,
                    upstream,
                    downstream,
                    kind: edge.kind,
                    data_passing_ref: edge.data_passing_ref.clone(),
                    created_by: self.actor.to_owned(),
                })
            })
            .collect()
    }

    fn check_size(
        &self,
        snapshot: &Snapshot,
        members: usize,
        edges: usize,
    ) -> Result<(), FlowRefusal> {
        let flow = snapshot.flow.as_ref();
        let (nodes, joined) = flow.map_or((0, 0), |flow| (flow.node_count, flow.edge_count));
        for (what, given, max) in [
            (
                "members",
                nodes as usize + members,
                Limits::FLOW_MEMBERS_MAX,
            ),
            ("edges", joined as usize + edges, Limits::FLOW_EDGES_MAX),
        ] {
            if given > max {
                return Err(FlowRefusal::TooLarge { what, given, max });
            }
        }
        Ok(())
    }

    fn check_cycle(
        &self,
        snapshot: &Snapshot,
        nodes: &Nodes<'_>,
        edges: &[PlannedEdge],
    ) -> Result<(), FlowRefusal> {
        let new = edges.iter().map(|edge| (edge.upstream, edge.downstream));
        let all: Vec<_> = new.chain(snapshot.reachable.iter().copied()).collect();
        let Some(cycle) = find_cycle(&all) else {
            return Ok(());
        };
        let shown = cycle.iter().take(Limits::CYCLE_SHOWN_MAX);
        let cycle = shown.map(|id| nodes.show(*id)).collect();
        Err(FlowRefusal::CycleDetected { cycle })
    }

    /// Returns the groups that the request changes, as they are from now on.
    fn groups(
        &self,
        snapshot: &Snapshot,
        nodes: &Nodes<'_>,
        edges: &[PlannedEdge],
        new: &HashMap<ExecutionId, &Arc<CreateCall>>,
    ) -> Result<Vec<PlannedGroup>, FlowRefusal> {
        let mut given: HashMap<ExecutionId, EdgeDependencyPolicy> = HashMap::new();
        for group in &self.graph.groups {
            group.policy.check()?;
            let id = nodes.find(&group.downstream)?;
            if given.insert(id, group.policy).is_some() {
                let detail = format!("`{}` has two policies", nodes.show(id));
                return Err(Invalid::new("groups", detail).into());
            }
        }
        let mut added: HashMap<ExecutionId, u32> = HashMap::new();
        for edge in edges {
            *added.entry(edge.downstream).or_default() += 1;
        }
        let mut ids: Vec<ExecutionId> = added.keys().chain(given.keys()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut groups = Vec::with_capacity(ids.len());
        for id in ids {
            let row = snapshot.executions.get(&id);
            let before = row.and_then(|row| row.group);
            let group = before.unwrap_or(EdgeGroup::new(EdgeDependencyPolicy::AllOf));
            let policy = given.get(&id).copied().unwrap_or(group.policy);
            if policy != group.policy && group.total > 0 {
                return Err(FlowRefusal::GroupPolicyFixed(nodes.show(id)));
            }
            let total = group.total + added.get(&id).copied().unwrap_or_default();
            let whole = new.contains_key(&id);
            if whole && policy.k().is_some_and(|k| k > total) {
                return Err(FlowRefusal::InvalidDependency {
                    member: nodes.show(id),
                    why: "its quorum is larger than the number of edges that lead to it",
                });
            }
            groups.push(PlannedGroup {
                id,
                policy,
                total,
                delay_ms: new.get(&id).and_then(|call| call.create.delay_ms),
                due_at: new.get(&id).and_then(|call| call.create.delay_until),
                is_new_policy: before.is_none_or(|before| before.policy != policy),
            });
        }
        Ok(groups)
    }
}

/// Returns why no further edge may lead to an execution.
fn takes_no_edge(row: &ExecutionRow) -> Option<&'static str> {
    if row.group.as_ref().is_some_and(is_decided) {
        return Some("what it waits for is decided already");
    }
    match row.state {
        StateKind::Terminal => Some("it has ended"),
        StateKind::Active => Some("it has started"),
        _ if row.attempts > 0 => Some("it has started"),
        StateKind::Waiting | StateKind::Delayed | StateKind::WaitingChildren => None,
        StateKind::Blocked | StateKind::RateLimited | StateKind::Suspended => {
            Some("it is blocked; unblock it first")
        }
    }
}
