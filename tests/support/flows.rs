//! Flows for the tests of the engine: graphs by names, and what their members come to.

use std::collections::BTreeMap;

use engine::{
    Claimed, CreateFlow, Engine, FlowChanged, FlowInfo, FlowMember, Graph, GrowFlow, MemberRef,
    NewEdge, NewGroup, NewMember, StartChildren, WaitFor,
};
use model::{
    EdgeDependencyPolicy, EdgeKind, ExecutionId, FailureClass, Fence, FlowId, OnSatisfied,
    PublicState,
};
use testkit::Answered;

use super::work::{claim, complete, create, fail};

pub(crate) fn member(name: &str) -> NewMember {
    NewMember {
        name: Some(name.to_owned()),
        create: create(name),
    }
}

pub(crate) fn by_name(name: &str) -> MemberRef {
    MemberRef::Name(name.to_owned())
}

pub(crate) fn edge(upstream: &str, downstream: &str, kind: EdgeKind) -> NewEdge {
    NewEdge {
        upstream: by_name(upstream),
        downstream: by_name(downstream),
        kind,
        data_passing_ref: None,
    }
}

/// Reads `a>b` as an edge, `a?b` as one that waits for a failure, `a*b` as one that waits for
/// any end.
pub(crate) fn edges(text: &str) -> Vec<NewEdge> {
    let kinds = [
        ('>', EdgeKind::SuccessOnly),
        ('?', EdgeKind::OnFailure),
        ('*', EdgeKind::Always),
    ];
    text.split_whitespace()
        .map(|pair| {
            let found = kinds.iter().find_map(|(mark, kind)| {
                let (upstream, downstream) = pair.split_once(*mark)?;
                Some(edge(upstream, downstream, *kind))
            });
            found.expect("an edge")
        })
        .collect()
}

pub(crate) fn any_of(on_satisfied: OnSatisfied) -> EdgeDependencyPolicy {
    EdgeDependencyPolicy::AnyOf { on_satisfied }
}

pub(crate) fn quorum(k: u32, on_satisfied: OnSatisfied) -> EdgeDependencyPolicy {
    EdgeDependencyPolicy::Quorum { k, on_satisfied }
}

pub(crate) fn group(downstream: &str, policy: EdgeDependencyPolicy) -> NewGroup {
    NewGroup {
        downstream: by_name(downstream),
        policy,
    }
}

/// Returns a graph of the members whose names are given, and these edges.
pub(crate) fn graph(members: &str, joined: &str) -> Graph {
    Graph {
        members: members.split_whitespace().map(member).collect(),
        edges: edges(joined),
        ..Graph::default()
    }
}

pub(crate) fn flow(graph: Graph) -> CreateFlow {
    CreateFlow {
        graph,
        ..CreateFlow::new("test")
    }
}

pub(crate) fn grow(id: FlowId, graph: Graph) -> GrowFlow {
    GrowFlow {
        id,
        namespace: None,
        expected_graph_revision: None,
        graph,
        holder: None,
        actor: "alice".to_owned(),
    }
}

/// Creates a flow and returns its id.
pub(crate) async fn made(engine: &Engine, graph: Graph) -> FlowId {
    made_whole(engine, graph).await.id
}

pub(crate) async fn made_whole(engine: &Engine, graph: Graph) -> FlowChanged {
    engine.create_flow(flow(graph)).await.accepted()
}

pub(crate) async fn info(engine: &Engine, id: FlowId) -> FlowInfo {
    let found = engine.flow(id, None).await.answered();
    found.expect("the flow is there")
}

/// Returns the members of a flow by their names.
pub(crate) async fn members(engine: &Engine, id: FlowId) -> BTreeMap<String, FlowMember> {
    let info = info(engine, id).await;
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = engine.flow_members(&info, after, 1000).await.answered();
        after = page.next().copied();
        all.extend(page.rows.into_iter().map(|member| {
            let name = member.name.clone();
            let name = name.unwrap_or_else(|| member.execution.id.to_string());
            (name, member)
        }));
        if after.is_none() {
            return all;
        }
    }
}

/// Returns the states of the members by their names.
pub(crate) async fn states(engine: &Engine, id: FlowId) -> BTreeMap<String, PublicState> {
    let members = members(engine, id).await.into_iter();
    members
        .map(|(name, member)| (name, member.execution.public_state))
        .collect()
}

/// Returns `name state` of each member, in the order of the names.
pub(crate) async fn shown(engine: &Engine, id: FlowId) -> String {
    let states = states(engine, id).await.into_iter();
    let shown: Vec<String> = states
        .map(|(name, state)| format!("{name} {state}"))
        .collect();
    shown.join(", ")
}

/// Returns the execution of a member.
pub(crate) async fn id_of(engine: &Engine, flow: FlowId, name: &str) -> ExecutionId {
    members(engine, flow).await[name].execution.id
}

/// Resolves what is due, cancels what is to be cancelled.
pub(crate) async fn settle(engine: &Engine) {
    // What a cancellation ends is resolved by the next run.
    while engine.reconcile().await.answered() > 0 {}
}

/// Claims what is ready, and returns it by the name that is its input.
pub(crate) async fn claimed(engine: &Engine) -> BTreeMap<String, Claimed> {
    let claimed = claim(engine, 1000).await.into_iter();
    claimed
        .map(|claimed| {
            let name = String::from_utf8(claimed.input.data.clone()).expect("a name");
            (name, claimed)
        })
        .collect()
}

/// Completes an execution under its lease.
pub(crate) async fn succeed(engine: &Engine, claimed: &Claimed) {
    let done = engine.complete(complete(claimed.fence, "done")).await;
    done.accepted();
}

/// Ends an execution under its lease as failed.
pub(crate) async fn fail_for_good(engine: &Engine, claimed: &Claimed) {
    let failed = engine
        .fail(fail(claimed.fence, FailureClass::Permanent))
        .await;
    failed.accepted();
}

/// Claims what is ready; completes it, or fails it if it is named. Then resolves what follows.
/// Returns the names of what was claimed.
pub(crate) async fn step(engine: &Engine, failing: &[&str]) -> String {
    let ready = claimed(engine).await;
    for (name, claimed) in &ready {
        if failing.contains(&name.as_str()) {
            fail_for_good(engine, claimed).await;
        } else {
            succeed(engine, claimed).await;
        }
    }
    settle(engine).await;
    let names: Vec<String> = ready.into_keys().collect();
    names.join(" ")
}

/// Starts a child that is not due for an hour.
pub(crate) async fn start_child(engine: &Engine, fence: Fence) -> ExecutionId {
    let mut child = member("late");
    child.create.delay_ms = Some(3_600_000);
    let graph = Graph {
        members: vec![child],
        ..Graph::default()
    };
    let started = engine.start_children(StartChildren { fence, graph }).await;
    started.accepted().members[0].id
}

/// Has an execution wait for a child that is not due for an hour.
pub(crate) async fn park_for_child(engine: &Engine, fence: Fence) -> ExecutionId {
    let child = start_child(engine, fence).await;
    let wait = WaitFor::default();
    let parked = engine.wait_children(fence, Default::default(), &wait).await;
    parked.accepted();
    child
}
