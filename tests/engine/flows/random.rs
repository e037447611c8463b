//! Random graphs with random ends, cancellations, replays and growth, against what their edges
//! say.
//!
//! What is compared is computed from the ends of the upstream members, without a word of
//! the engine's own rules. `FLOWHOST_FLOWS` sets how many graphs are tried.

use std::collections::{BTreeMap, BTreeSet};

use engine::{CancelFlow, Engine, FlowMember, Graph};
use model::{
    EdgeDependencyPolicy, EdgeGroupState, EdgeKind, FailureClass, FlowCancellationPolicy, FlowId,
    OnSatisfied, PublicState,
};
use testkit::{Answered, Random};

use crate::support::flows::{
    any_of, edge, fail_for_good, flow, group, grow, info, member, members, quorum, settle,
};
use crate::support::work::{self, claim, complete, operate, setup};

/// Flows that are tried at the same time.
const AT_ONCE: usize = 50;

/// A flow, and what the test knows of it.
struct Tried {
    id: FlowId,
    /// Upstream, downstream and kind of each edge.
    edges: Vec<(String, String, EdgeKind)>,
    policies: BTreeMap<String, EdgeDependencyPolicy>,
    names: usize,
    cancelled: Option<FlowCancellationPolicy>,
    /// Whether a member was replayed, after which groups keep what they have decided.
    replayed: bool,
}

fn random_edge_kind(random: &mut Random) -> EdgeKind {
    *random.pick(&[
        EdgeKind::SuccessOnly,
        EdgeKind::SuccessOnly,
        EdgeKind::OnFailure,
        EdgeKind::Always,
    ])
}

/// Adds members to a graph, with edges from those before them.
fn random_members(random: &mut Random, tried: &mut Tried, count: usize) -> Graph {
    let mut graph = Graph::default();
    for _ in 0..count {
        let name = format!("m{}", tried.names);
        graph.members.push(member(&name));
        let mut into = BTreeSet::new();
        if tried.names > 0 {
            for _ in 0..random.below(4) {
                into.insert(random.below(tried.names));
            }
        }
        for upstream in &into {
            let kind = random_edge_kind(random);
            let upstream = format!("m{upstream}");
            graph.edges.push(edge(&upstream, &name, kind));
            tried.edges.push((upstream, name.clone(), kind));
        }
        if into.len() > 1 && random.below(2) == 0 {
            let on_satisfied = *random.pick(&[OnSatisfied::CancelRemaining, OnSatisfied::LetRun]);
            let policy = match random.below(2) {
                0 => any_of(on_satisfied),
                _ => quorum(1 + random.below(into.len()) as u32, on_satisfied),
            };
            graph.groups.push(group(&name, policy));
            tried.policies.insert(name, policy);
        }
        tried.names += 1;
    }
    graph
}

async fn make(engine: &Engine, random: &mut Random) -> Tried {
    let mut tried = Tried {
        id: FlowId::from_uuid(Default::default()),
        edges: Vec::new(),
        policies: BTreeMap::new(),
        names: 0,
        cancelled: None,
        replayed: false,
    };
    let count = 1 + random.below(14);
    let graph = random_members(random, &mut tried, count);
    tried.id = engine.create_flow(flow(graph)).await.accepted().id;
    tried
}

/// Ends some of what is ready, each in its way.
async fn run_some(engine: &Engine, random: &mut Random, share: usize) -> usize {
    let ready = claim(engine, 1000).await;
    let count = ready.len();
    for claimed in ready {
        if random.below(100) >= share {
            engine
                .release(claimed.fence, Default::default())
                .await
                .accepted();
            continue;
        }
        match random.below(10) {
            0..=5 => {
                let done = engine.complete(complete(claimed.fence, "done")).await;
                done.accepted();
            }
            6..=8 => fail_for_good(engine, &claimed).await,
            _ => {
                let fail = work::fail(claimed.fence, FailureClass::Transient);
                engine.fail(fail).await.accepted();
                let cancel = engine::Cancel {
                    id: claimed.fence.execution_id,
                    namespace: None,
                    reason: None,
                    source: Default::default(),
                    actor: None,
                };
                engine.cancel(cancel).await.accepted();
            }
        }
    }
    count
}

/// Compares each member with what its edges say.
fn check(tried: &Tried, members: &BTreeMap<String, FlowMember>) {
    assert_eq!(members.len(), tried.names);
    let decides = tried
        .cancelled
        .is_none_or(|policy| policy == FlowCancellationPolicy::CancelFlowOnly);
    for (name, member) in members {
        let state = member.execution.public_state;
        let into: Vec<_> = tried.edges.iter().filter(|(_, to, _)| to == name).collect();
        if into.is_empty() {
            assert!(member.group.is_none());
            let waits = [PublicState::WaitingChildren, PublicState::Skipped].contains(&state);
            assert!(!waits, "{name} waits for nothing and is {state}");
            continue;
        }
        let (mut good, mut bad) = (0, 0);
        for (from, _, kind) in &into {
            let upstream = members[from].execution.public_state;
            if !upstream.is_terminal() {
                continue;
            }
            let counts = match kind {
                EdgeKind::Always => true,
                EdgeKind::SuccessOnly => upstream == PublicState::Completed,
                EdgeKind::OnFailure => {
                    [PublicState::Failed, PublicState::Expired].contains(&upstream)
                }
            };
            if counts {
                good += 1;
            } else {
                bad += 1;
            }
        }
        let total = into.len() as u32;
        let policy = tried.policies.get(name).copied().unwrap_or_default();
        let needed = policy.needed(total);
        let group = member.group.expect("edges lead to it");
        assert_eq!(group.total, total, "{name}");
        let case = format!("{name} is {state}: {good} good and {bad} bad of {total}, {group:?}");
        if !decides {
            assert!(state != PublicState::WaitingChildren, "{case}");
            continue;
        }
        if tried.replayed {
            // What is decided stays so, also when the ends that decided it are taken back.
            if group.state == EdgeGroupState::Pending {
                assert!(good < needed && bad <= total - needed, "{case}");
            }
        } else {
            let counted = (group.satisfied, group.failed + group.skipped);
            assert_eq!(counted, (good, bad), "{case}");
            let then = if good >= needed {
                EdgeGroupState::Satisfied
            } else if bad > total - needed {
                EdgeGroupState::Impossible
            } else {
                EdgeGroupState::Pending
            };
            assert_eq!(group.state, then, "{case}");
        }
        let fits = match group.state {
            EdgeGroupState::Pending => {
                [PublicState::WaitingChildren, PublicState::Cancelled].contains(&state)
            }
            EdgeGroupState::Satisfied => {
                ![PublicState::WaitingChildren, PublicState::Skipped].contains(&state)
            }
            EdgeGroupState::Impossible => {
                [PublicState::Skipped, PublicState::Cancelled].contains(&state)
            }
            EdgeGroupState::Cancelled => false,
        };
        assert!(fits, "{case}");
    }
}

/// Changes a flow in one of the ways in which people do.
async fn meddle(engine: &Engine, random: &mut Random, tried: &mut Tried) {
    match random.below(12) {
        0 if tried.cancelled.is_none() => {
            let policy = *random.pick(FlowCancellationPolicy::ALL);
            let cancel = CancelFlow {
                id: tried.id,
                namespace: None,
                reason: None,
                policy: Some(policy),
                actor: "alice".to_owned(),
                wait: None,
            };
            engine.cancel_flow(cancel).await.accepted();
            tried.cancelled = Some(policy);
        }
        1..=3 if tried.cancelled.is_none() => {
            let count = 1 + random.below(3);
            let graph = random_members(random, tried, count);
            engine.grow_flow(grow(tried.id, graph)).await.accepted();
        }
        4 => {
            let all = members(engine, tried.id).await;
            let replayable: Vec<_> = all
                .values()
                .filter(|it| {
                    let group = it.group.map(|group| group.state);
                    // One of these would wait for a replay of the members before it.
                    it.execution.public_state.is_terminal()
                        && group != Some(EdgeGroupState::Impossible)
                })
                .collect();
            if !replayable.is_empty() {
                let id = random.pick(&replayable).execution.id;
                engine.replay(operate(id)).await.accepted();
                tried.replayed = true;
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_graphs_come_to_what_their_edges_say() {
    let (database, engine) = setup().await;
    let wanted = std::env::var("FLOWHOST_FLOWS").ok();
    let wanted = wanted.map_or(100, |count| count.parse().expect("a number"));
    let mut random = Random::new();
    let mut made = 0;
    while made < wanted {
        let mut flows = Vec::new();
        for _ in 0..AT_ONCE.min(wanted - made) {
            flows.push(make(&engine, &mut random).await);
        }
        made += flows.len();
        for _ in 0..8 {
            run_some(&engine, &mut random, 50).await;
            for tried in &mut flows {
                meddle(&engine, &mut random, tried).await;
            }
            settle(&engine).await;
            for tried in &flows {
                check(tried, &members(&engine, tried.id).await);
            }
            database.assert_invariants().await;
        }
        // To the end: no member is stuck.
        while run_some(&engine, &mut random, 100).await > 0 {
            settle(&engine).await;
        }
        for tried in &flows {
            let all = members(&engine, tried.id).await;
            check(tried, &all);
            for (name, member) in &all {
                let state = member.execution.public_state;
                assert!(state.is_terminal(), "{name} is {state} at the end");
            }
            let info = info(&engine, tried.id).await;
            assert_eq!(info.ended_count, info.node_count);
        }
        database.assert_invariants().await;
    }
}
