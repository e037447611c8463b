//! Members and edges that a guest puts together.

use engine::{Graph as EngineGraph, MemberRef, NewEdge, NewGroup, NewMember};
use model::{ExecutionId, FlowRefusal, Invalid, Limits, member_name};
use wasmtime::component::Resource;

use crate::host::bindings::flowhost::engine::flows::{DependencyPolicy, Edge, HostGraph};
use crate::host::convert::{Bounds, policy_of, text_bytes};
use crate::host::setters::setters;
use crate::host::store::{Caller, HostResource};
use crate::host::{Request, State};

/// Members and edges about to be added to a flow.
#[derive(Default)]
pub struct Graph {
    members: Vec<Member>,
    added: Vec<ExecutionId>,
    edges: Vec<NewEdge>,
    groups: Vec<NewGroup>,
    /// What the entries own, counted as they are added: counting it again for each would take
    /// time in proportion to the square of their number.
    owned_bytes: usize,
    bounds: Bounds,
    /// The first of the bounds on its size that was exceeded.
    too_large: Option<FlowRefusal>,
}

struct Member {
    name: Option<String>,
    request: Request,
}

impl HostResource for Graph {
    fn owned_bytes(&self) -> usize {
        self.owned_bytes
            + self.members.capacity() * size_of::<Member>()
            + self.added.capacity() * size_of::<ExecutionId>()
            + self.edges.capacity() * size_of::<NewEdge>()
            + self.groups.capacity() * size_of::<NewGroup>()
            + self.bounds.owned_bytes()
    }
}

impl Graph {
    fn add_member(&mut self, name: Option<String>, request: Request) {
        let checked = match &name {
            Some(name) => member_name("name", name),
            None => Ok(()),
        };
        if self.bounds.keep(checked).is_some()
            && self.has_room("members", self.members.len(), Limits::FLOW_MEMBERS_MAX)
        {
            self.owned_bytes += text_bytes(name.as_ref()) + request.owned_bytes();
            self.members.push(Member { name, request });
        }
    }

    fn add_execution(&mut self, id: &str) {
        let read = id
            .parse()
            .map_err(|error: model::IdError| Invalid::new("execution_id", error.to_string()));
        let room = self.has_room("members", self.added.len(), Limits::FLOW_MEMBERS_MAX);
        if let (Some(id), true) = (self.bounds.keep(read), room) {
            self.added.push(id);
        }
    }

    fn add_edge(&mut self, edge: Edge) {
        let bytes = edge_bytes(&edge);
        let room = self.has_room("edges", self.edges.len(), Limits::FLOW_EDGES_MAX);
        if let (Some(edge), true) = (self.bounds.keep(new_edge(edge)), room) {
            self.owned_bytes += bytes;
            self.edges.push(edge);
        }
    }

    fn set_policy(&mut self, downstream: &str, policy: DependencyPolicy) {
        let read = MemberRef::parse("downstream", downstream).and_then(|downstream| {
            let policy = policy_of(policy);
            policy.check()?;
            Ok(NewGroup { downstream, policy })
        });
        let room = self.has_room("groups", self.groups.len(), Limits::FLOW_MEMBERS_MAX);
        if let (Some(group), true) = (self.bounds.keep(read), room) {
            self.owned_bytes += downstream.len();
            self.groups.push(group);
        }
    }

    fn has_room(&mut self, what: &'static str, there: usize, max: usize) -> bool {
        if there >= max {
            let given = there + 1;
            self.too_large
                .get_or_insert(FlowRefusal::TooLarge { what, given, max });
        }
        there < max
    }

    /// Returns the graph for the engine. Its executions are created by `caller`.
    ///
    /// # Errors
    /// A bound was exceeded.
    pub(super) fn made(self, caller: &Caller) -> Result<EngineGraph, FlowRefusal> {
        self.bounds.check()?;
        if let Some(too_large) = self.too_large {
            return Err(too_large);
        }
        let member = |Member { name, mut request }| {
            let create = request.take(caller)?;
            Ok(NewMember { name, create })
        };
        let members = self.members.into_iter().map(member);
        Ok(EngineGraph {
            members: members.collect::<Result<_, Invalid>>()?,
            added: self.added,
            edges: self.edges,
            groups: self.groups,
        })
    }
}

fn new_edge(edge: Edge) -> Result<NewEdge, Invalid> {
    if let Some(name) = &edge.data_passing_ref {
        member_name("data_passing_ref", name)?;
    }
    Ok(NewEdge {
        upstream: MemberRef::parse("upstream", &edge.upstream)?,
        downstream: MemberRef::parse("downstream", &edge.downstream)?,
        kind: edge.kind.into(),
        data_passing_ref: edge.data_passing_ref,
    })
}

fn edge_bytes(edge: &Edge) -> usize {
    edge.upstream.len() + edge.downstream.len() + text_bytes(edge.data_passing_ref.as_ref())
}

impl HostGraph for State {
    fn new(&mut self) -> wasmtime::Result<Resource<Graph>> {
        self.count_call(0)?;
        self.push(Graph::default())
    }

    fn add_member(
        &mut self,
        graph: Resource<Graph>,
        name: Option<String>,
        request: Resource<Request>,
    ) -> wasmtime::Result<()> {
        self.count_call(text_bytes(name.as_ref()))?;
        let request = self.delete(request)?;
        self.change(&graph, |graph| graph.add_member(name, request))
    }

    setters! { Graph:
        add_execution(id: String, id.len()) graph => graph.add_execution(&id);
        add_edge(edge: Edge, edge_bytes(&edge)) graph => graph.add_edge(edge);
    }

    fn set_policy(
        &mut self,
        graph: Resource<Graph>,
        downstream: String,
        policy: DependencyPolicy,
    ) -> wasmtime::Result<()> {
        self.count_call(downstream.len())?;
        self.change(&graph, |graph| graph.set_policy(&downstream, policy))
    }

    fn drop(&mut self, graph: Resource<Graph>) -> wasmtime::Result<()> {
        self.delete(graph)?;
        Ok(())
    }
}
