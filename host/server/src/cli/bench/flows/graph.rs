//! The graphs that are measured, and waiting for the end of a flow.

use std::time::Duration;

use engine::{
    CancelFlow, Create, CreateFlow, Engine, FlowChanged, FlowInfo, Graph, MemberMade, MemberRef,
    NewEdge, NewMember, bench,
};
use model::{EdgeKind, ExecutionId, FlowId, LANE_DEFAULT};

use crate::cli::bench::lifecycles::{KIND, input};
use crate::cli::bench::measure::failed;
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Lane of members that are never run: no worker serves it.
pub const LANE_IDLE: &str = "bench-flows";
/// Longest a flow may take to end, and its cancellation to reach every member.
pub const FLOW_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks at a flow that is about to end.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Members of each layer of a graph of [`layers`].
const LAYER: usize = 100;

/// Members that the host runs, each of which waits for the one before it.
pub fn chain(members: usize) -> Graph {
    let edges = (1..members).map(|at| (at - 1, at));
    graph(LANE_DEFAULT, members, edges)
}

/// A first member, `width` that wait for it, and a last one that waits for all of those; the
/// host runs them.
pub fn fan(width: usize) -> Graph {
    let last = width + 1;
    let edges = (1..last).flat_map(|at| [(0, at), (at, last)]);
    graph(LANE_DEFAULT, width + 2, edges)
}

/// Members that are never run: the first is ready and the others wait for it.
pub fn star(members: usize) -> Graph {
    graph(LANE_IDLE, members, (1..members).map(|at| (0, at)))
}

/// Members that are never run, in layers of a hundred; those of each layer but the first wait
/// for about as many of the layer before it, so that there are so many edges in all.
pub fn layers(members: usize, edges: usize) -> Graph {
    let waiting = members.saturating_sub(LAYER).max(1);
    let (each, more) = (edges / waiting, edges % waiting);
    let edges = (LAYER..members).flat_map(move |at| {
        let count = each + usize::from(at - LAYER < more);
        let (layer, place) = (at / LAYER, at % LAYER);
        (0..count).map(move |step| ((layer - 1) * LAYER + (place + step) % LAYER, at))
    });
    graph(LANE_IDLE, members, edges)
}

fn graph(lane: &str, members: usize, edges: impl Iterator<Item = (usize, usize)>) -> Graph {
    let name = |at: usize| format!("m{at}");
    let member = |at| NewMember {
        name: Some(name(at)),
        create: Create {
            namespace: bench::NAMESPACE.to_owned(),
            lane: lane.to_owned(),
            ..Create::new(KIND, input())
        },
    };
    let edge = |(upstream, downstream)| NewEdge {
        upstream: MemberRef::Name(name(upstream)),
        downstream: MemberRef::Name(name(downstream)),
        kind: EdgeKind::SuccessOnly,
        data_passing_ref: None,
    };
    Graph {
        members: (0..members).map(member).collect(),
        edges: edges.map(edge).collect(),
        ..Graph::default()
    }
}

/// Returns a request for a flow with a graph.
pub fn request(graph: Graph) -> CreateFlow {
    CreateFlow {
        namespace: bench::NAMESPACE.to_owned(),
        graph,
        ..CreateFlow::new(KIND)
    }
}

/// Waits for the end of the last member, on which all others are expected to lead.
pub async fn last_ends(engine: &Engine, made: &FlowChanged) -> Result<(), Failure> {
    let id = last(made)?;
    if engine.wait_finished(id, FLOW_MAX).await? {
        return Ok(());
    }
    let seconds = FLOW_MAX.as_secs();
    let message = format!("flow {} did not end within {seconds} s", made.id);
    Err(failed(message))
}

fn last(made: &FlowChanged) -> Result<ExecutionId, Failure> {
    let last: Option<&MemberMade> = made.members.last();
    last.map(|member| member.id)
        .ok_or_else(|| failed(format!("flow {} has no members", made.id)))
}

/// Waits until a flow has taken note of the ends of all its members.
pub async fn settled(engine: &Engine, id: FlowId) -> Result<FlowInfo, Failure> {
    let watch = Stopwatch::start();
    while watch.elapsed() < FLOW_MAX {
        let info = engine.flow(id, None).await?;
        let info = info.ok_or_else(|| failed(format!("flow {id} is gone")))?;
        if info.ended_at.is_some() {
            return Ok(info);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let seconds = FLOW_MAX.as_secs();
    Err(failed(format!(
        "flow {id} was not resolved within {seconds} s"
    )))
}

/// Waits as [`settled`] does, and fails unless all members succeeded: a benchmark of failures
/// would be a fast one.
pub async fn succeeded(engine: &Engine, id: FlowId) -> Result<(), Failure> {
    settled(engine, id).await?;
    let counters = engine.flow_counters(id).await?;
    if counters.completed == counters.total {
        return Ok(());
    }
    Err(failed(format!(
        "of {} members of flow {id} only {} completed",
        counters.total, counters.completed
    )))
}

/// Cancels a flow of which no member runs; returns how long it took until all had ended.
pub async fn cancel(engine: &Engine, id: FlowId) -> Result<Duration, Failure> {
    let cancel = CancelFlow {
        id,
        namespace: None,
        reason: Some("measured".to_owned()),
        policy: None,
        actor: "bench".to_owned(),
        wait: Some(FLOW_MAX),
    };
    let watch = Stopwatch::start();
    let cancelled = engine.cancel_flow(cancel).await?;
    let took = watch.elapsed();
    let counters = engine.flow_counters(id).await?;
    if cancelled.open.is_empty() && counters.cancelled == counters.total {
        return Ok(took);
    }
    Err(failed(format!(
        "of {} members of flow {id} only {} were cancelled within {} s",
        counters.total,
        counters.cancelled,
        FLOW_MAX.as_secs()
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn numbers(graph: &Graph) -> Vec<(usize, usize)> {
        let number = |member: &MemberRef| match member {
            MemberRef::Name(name) => name[1..].parse().expect("a number"),
            MemberRef::Id(_) => panic!("members are named"),
        };
        let edges = graph.edges.iter();
        edges
            .map(|edge| (number(&edge.upstream), number(&edge.downstream)))
            .collect()
    }

    #[test]
    fn graphs_have_as_many_edges_as_they_are_asked_for_and_no_cycle() {
        for (graph, members, edges) in [
            (chain(10), 10, 9),
            (fan(1_000), 1_002, 2_000),
            (star(100), 100, 99),
            (layers(5_000, 10_000), 5_000, 10_000),
            (layers(10_000, 50_000), 10_000, 50_000),
        ] {
            let numbers = numbers(&graph);
            assert_eq!(graph.members.len(), members);
            assert_eq!(numbers.len(), edges);
            assert!(
                numbers
                    .iter()
                    .all(|(up, down)| up < down && *down < members)
            );
            let distinct: HashSet<_> = numbers.iter().collect();
            assert_eq!(distinct.len(), edges, "no edge is there twice");
        }
    }
}
