//! create and grow: makes a flow, adds members and edges to one.

use std::collections::HashSet;
use std::sync::Arc;

use model::{EdgeId, ExecutionId, Fence, FlowId, FlowRefusal, LeaseRefusal, PublicState, ensure};
use uuid::Uuid;

use super::call::{NewFlow, Written};
use super::check::{check_flow, check_graph, check_member};
use super::made_before::flow_digest;
use super::plan::{Numbered, Planned};
use super::snapshot::Snapshot;
use crate::execution::CreateCall;
use crate::flow::request::{CreateFlow, FlowChanged, Graph, GrowFlow, MemberMade, MemberRef};
use crate::operate::Operator;
use crate::{Declined, Engine, Error, random};

/// Tries of a change while others change the flow.
const TRIES: u32 = 50;

impl Engine {
    /// Creates a flow with its first members and edges, all of them or nothing. Durable when
    /// it returns. A repeat with the same idempotency key, or the same id of the caller's, and
    /// the same request is answered with what that made.
    ///
    /// # Refusals
    /// See [`FlowRefusal`].
    ///
    /// # Errors
    /// [`Error::Unavailable`]: unknown whether it was created; ask again with the same key
    /// or id.
    pub async fn create_flow(
        &self,
        create: CreateFlow,
    ) -> Result<FlowChanged, Declined<FlowRefusal>> {
        check_flow(&create)?;
        check_graph(&create.graph)?;
        self.refuse_beside_old_hosts().await?;
        let partitions = self.instance().partitions;
        let key = create.idempotency_key.as_deref();
        let id = match create.id {
            Some(id) => {
                let of_key = key.map(|key| partitions.of_key(&create.namespace, key));
                let ok = id.is_routed()
                    && id.partition().number() < partitions.count()
                    && of_key.is_none_or(|of| of == id.partition());
                ensure("id", ok, || {
                    format!(
                        "`{id}` is not an id of this instance, on the partition of the idempotency key; leave it out to have one made"
                    )
                })?;
                id
            }
            None => random::flow_id(partitions, &create.namespace, key),
        };
        let digest = flow_digest(&create);
        let may_repeat = key.is_some() || create.id.is_some();
        if may_repeat && let Some(before) = self.flow_made_before(id, &create, &digest).await? {
            return Ok(before);
        }
        let calls = self
            .prepare_members(id, &create.namespace, &create.graph)
            .await?;
        let edge_ids = new_edge_ids(&create.graph);
        let numbered = Numbered {
            flow: id,
            namespace: &create.namespace,
            graph: &create.graph,
            calls: &calls,
            edge_ids: &edge_ids,
            holder: None,
            actor: create.creator.as_deref().unwrap_or("engine"),
        };
        let new = NewFlow {
            kind: create.kind.clone(),
            creator: create.creator.clone(),
            idempotency_key: create.idempotency_key.clone(),
            digest: Some(digest.clone()),
            cancellation_policy: create.cancellation_policy,
            tags: create.tags.clone(),
        };
        let planned = numbered.plan(&Snapshot::default(), Some(new))?;
        let Planned::Change(change, members) = planned else {
            return Err(Error::Defect("a new flow is a change".to_owned()).into());
        };
        match self.inner.batchers.change_flow.call(*change).await? {
            Some(written) => Ok(changed(id, written, members, edge_ids)),
            // There is a flow with this id, which an earlier try made, or with this key.
            None => match self.flow_made_before(id, &create, &digest).await? {
                Some(before) => Ok(before),
                None => Err(Error::Unavailable(format!(
                    "the flow that had the key or the id {id} is gone now; ask again"
                ))
                .into()),
            },
        }
    }

    /// Adds members, executions that exist, edges and policies to a flow, all of them or
    /// nothing. Durable when it returns. A repeat finds members of the same name again.
    ///
    /// # Refusals
    /// See [`FlowRefusal`].
    ///
    /// # Errors
    /// [`Error::Unavailable`]: unknown whether it was done.
    pub async fn grow_flow(&self, grow: GrowFlow) -> Result<FlowChanged, Declined<FlowRefusal>> {
        Operator::check_actor(&grow.actor)?;
        check_graph(&grow.graph)?;
        let namespace = self
            .flow_namespace(grow.id, grow.namespace.as_deref())
            .await?;
        let namespace = namespace.ok_or(FlowRefusal::NotFound)?;
        let calls = self
            .prepare_members(grow.id, &namespace, &grow.graph)
            .await?;
        let edge_ids = new_edge_ids(&grow.graph);
        let numbered = Numbered {
            flow: grow.id,
            namespace: &namespace,
            graph: &grow.graph,
            calls: &calls,
            edge_ids: &edge_ids,
            holder: grow.holder,
            actor: &grow.actor,
        };
        // Changes of one flow by this host are made one after the other.
        let _turn = self.inner.flow_turns.take(grow.id).await;
        for _ in 0..TRIES {
            let snapshot = self.snapshot(&numbered).await?;
            let flow = snapshot.flow.as_ref().ok_or(FlowRefusal::NotFound)?;
            let (revision, nodes, edges) = (flow.graph_revision, flow.node_count, flow.edge_count);
            let unchanged = |members| FlowChanged {
                id: grow.id,
                applied: false,
                graph_revision: revision,
                node_count: nodes,
                edge_count: edges,
                members,
                edges: Vec::new(),
            };
            if numbered.was_applied(&snapshot) {
                let members = numbered.members_as_made();
                return Ok(FlowChanged {
                    applied: true,
                    edges: edge_ids,
                    ..unchanged(members)
                });
            }
            if let Some(fence) = &grow.holder {
                self.refuse_unless_held(fence).await?;
            }
            if flow.cancelled {
                return Err(FlowRefusal::AlreadyTerminal.into());
            }
            if grow
                .expected_graph_revision
                .is_some_and(|expected| expected != revision)
            {
                return Err(FlowRefusal::StaleGraphRevision { current: revision }.into());
            }
            let (change, members) = match numbered.plan(&snapshot, None)? {
                Planned::Change(change, members) => (change, members),
                Planned::Nothing(members) => return Ok(unchanged(members)),
            };
            if let Some(written) = self.inner.batchers.change_flow.call(*change).await? {
                return Ok(changed(grow.id, written, members, edge_ids));
            }
        }
        Err(Error::Unavailable(format!(
            "flow {} was changed by others at every try; ask again",
            grow.id
        ))
        .into())
    }

    /// Refuses a request of a holder whose lease does not hold.
    async fn refuse_unless_held(&self, fence: &Fence) -> Result<(), Declined<FlowRefusal>> {
        let look = self.observe(*fence).await?;
        let look = look.ok_or(LeaseRefusal::ExecutionNotFound)?;
        if look.observed.holds(fence, false) {
            return Ok(());
        }
        Err(look.observed.refusal(fence).into())
    }

    /// Reads the namespace of a flow; `None` if there is none within the namespace.
    pub(in crate::flow) async fn flow_namespace(
        &self,
        id: FlowId,
        within: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let namespace = sqlx::query_scalar!(
            "SELECT namespace FROM flow WHERE partition = $1 AND id = $2",
            id.partition().column(),
            id.uuid()
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(namespace.filter(|found| within.is_none_or(|within| within == found)))
    }

    async fn snapshot(&self, numbered: &Numbered<'_>) -> Result<Snapshot, Error> {
        let (ids, names) = numbered.named();
        let pool = &self.inner.verbs;
        let mut snapshot = Snapshot::read(pool, numbered.flow, &ids, &names).await?;
        let pairs = numbered.pairs(&snapshot);
        if !pairs.is_empty() {
            snapshot.read_edges(pool, numbered.flow, &pairs).await?;
        }
        Ok(snapshot)
    }

    /// Checks the new members and gives them their ids.
    async fn prepare_members(
        &self,
        flow: FlowId,
        namespace: &str,
        graph: &Graph,
    ) -> Result<Vec<Arc<CreateCall>>, Declined<FlowRefusal>> {
        let ids = random::ordered_execution_ids(flow.partition(), graph.members.len());
        let mut calls = Vec::with_capacity(ids.len());
        for (at, (member, id)) in graph.members.iter().zip(ids).enumerate() {
            let shown = || match &member.name {
                Some(name) => name.clone(),
                None => at.to_string(),
            };
            if let Some(name) = &member.name {
                model::member_name("name", name)?;
            }
            check_member(member)?;
            let mut create = member.create.clone();
            namespace.clone_into(&mut create.namespace);
            let call = self.prepare_member(create, id).await.map_err(|declined| {
                declined.map(|refusal| FlowRefusal::Member {
                    member: shown(),
                    refusal,
                })
            })?;
            calls.push(Arc::new(call));
        }
        Ok(calls)
    }
}

impl Numbered<'_> {
    /// Returns the executions and the names whose rows the change is decided on.
    fn named(&self) -> (Vec<Uuid>, Vec<String>) {
        let graph = self.graph;
        let ends = graph
            .edges
            .iter()
            .flat_map(|edge| [&edge.upstream, &edge.downstream]);
        let refs = ends.chain(graph.groups.iter().map(|group| &group.downstream));
        let mut ids: HashSet<Uuid> = graph.added.iter().map(|id| id.uuid()).collect();
        ids.extend(self.calls.iter().map(|call| call.id.uuid()));
        let mut names: HashSet<&str> = HashSet::new();
        for member in refs {
            match member {
                MemberRef::Name(name) => drop(names.insert(name)),
                MemberRef::Id(id) => drop(ids.insert(id.uuid())),
            }
        }
        names.extend(graph.members.iter().filter_map(|it| it.name.as_deref()));
        let names = names.into_iter().map(str::to_owned);
        (ids.into_iter().collect(), names.collect())
    }

    /// Returns the ends of edges that lead to members which exist.
    fn pairs(&self, snapshot: &Snapshot) -> Vec<(ExecutionId, ExecutionId)> {
        let find = |member: &MemberRef| match member {
            MemberRef::Name(name) => snapshot.named(name).map(|(id, _)| id),
            MemberRef::Id(id) => Some(*id),
        };
        let edges = self.graph.edges.iter();
        edges
            .filter_map(|edge| Some((find(&edge.upstream)?, find(&edge.downstream)?)))
            .collect()
    }

    /// Returns the members of a request that was applied by an earlier try.
    fn members_as_made(&self) -> Vec<MemberMade> {
        let members = self.graph.members.iter().zip(self.calls);
        let made = members.map(|(member, call)| MemberMade {
            id: call.id,
            name: member.name.clone(),
            state: None,
        });
        made.collect()
    }
}

fn new_edge_ids(graph: &Graph) -> Vec<EdgeId> {
    let ids = graph.edges.iter().map(|_| EdgeId(random::ordered_uuid()));
    ids.collect()
}

fn changed(
    id: FlowId,
    written: Written,
    mut members: Vec<MemberMade>,
    edges: Vec<EdgeId>,
) -> FlowChanged {
    let states: std::collections::HashMap<ExecutionId, PublicState> =
        written.states.into_iter().collect();
    for member in &mut members {
        if let Some(state) = states.get(&member.id) {
            member.state = Some(*state);
        }
    }
    FlowChanged {
        id,
        applied: true,
        graph_revision: written.graph_revision,
        node_count: written.node_count,
        edge_count: written.edge_count,
        members,
        edges,
    }
}
