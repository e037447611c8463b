//! Children that a handler starts and waits for, and what is passed along edges.

use engine::{Cancel, Child, Claimed, Declined, Engine, Graph, MemberRef, StartChildren, WaitFor};
use model::{EdgeDependencyPolicy, EdgeKind, FlowRefusal, OnSatisfied, Outcome, PublicState};
use testkit::Answered;

use crate::support::flows::{
    any_of, by_name, claimed, edges, fail_for_good, graph, info, made, quorum, settle, shown, step,
    succeed,
};
use crate::support::work::{claim_one, complete, create, created, operate, setup, text};

async fn start(engine: &Engine, parent: &Claimed, graph: Graph) -> engine::FlowChanged {
    let fence = parent.fence;
    let started = engine.start_children(StartChildren { fence, graph }).await;
    started.accepted()
}

async fn wait(
    engine: &Engine,
    parent: &Claimed,
    wait: &WaitFor,
) -> Result<(), Declined<FlowRefusal>> {
    engine
        .wait_children(parent.fence, Default::default(), wait)
        .await
}

/// Starts an execution, which is of no flow.
async fn parent(engine: &Engine) -> Claimed {
    created(engine, create("parent")).await;
    claim_one(engine).await
}

fn ends(children: &[Child]) -> Vec<(&str, Option<Outcome>)> {
    let shown = children.iter();
    shown
        .map(|child| (child.name.as_deref().unwrap_or_default(), child.outcome))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_resumes_when_its_children_have_ended() {
    let (database, engine) = setup().await;
    let parent = parent(&engine).await;
    let id = parent.fence.execution_id;
    let made = start(&engine, &parent, graph("c a b", "")).await;
    assert_eq!(made.id.uuid(), id.uuid(), "its flow has its id");
    let again = start(&engine, &parent, graph("a", "")).await;
    assert!(!again.applied, "the same child again");
    assert_eq!(again.members[0].id, made.members[1].id);
    wait(&engine, &parent, &WaitFor::default()).await.accepted();
    wait(&engine, &parent, &WaitFor::default()).await.accepted();
    let info = engine.get(id, None).await.answered().expect("there");
    assert_eq!(info.public_state, PublicState::WaitingChildren);
    assert_eq!(info.flow_id, Some(made.id));
    let mut children = claimed(&engine).await;
    succeed(&engine, &children.remove("a").expect("claimed")).await;
    fail_for_good(&engine, &children.remove("b").expect("claimed")).await;
    settle(&engine).await;
    assert!(claimed(&engine).await.is_empty(), "one runs still");
    succeed(&engine, &children.remove("c").expect("claimed")).await;
    settle(&engine).await;
    let resumed = claim_one(&engine).await;
    assert!(resumed.resumes);
    assert_eq!(resumed.fence.execution_id, id);
    assert_eq!(
        resumed.fence.attempt, parent.fence.attempt,
        "the same attempt"
    );
    let children = engine.children(id).await.answered();
    let all = [
        ("c", Some(Outcome::Success)),
        ("a", Some(Outcome::Success)),
        ("b", Some(Outcome::Failed)),
    ];
    assert_eq!(
        ends(&children),
        all,
        "in the order in which they were started"
    );
    assert_eq!(
        children[2].failure.as_ref().map(|it| it.code.as_str()),
        Some("broken")
    );
    assert_eq!(children[0].result_bytes, Some(4));
    // Of all that have ended nothing is waited for.
    wait(&engine, &resumed, &WaitFor::default())
        .await
        .accepted();
    let resumed = claim_one(&engine).await;
    assert!(resumed.resumes);
    // A second wait is for what was started since.
    start(&engine, &resumed, graph("d", "")).await;
    wait(&engine, &resumed, &WaitFor::default())
        .await
        .accepted();
    assert_eq!(step(&engine, &[]).await, "d");
    succeed(&engine, &claim_one(&engine).await).await;
    settle(&engine).await;
    assert_eq!(self::info(&engine, made.id).await.ended_count, 5);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_or_some_of_the_children_may_be_enough() {
    let (database, engine) = setup().await;
    let two = quorum(2, OnSatisfied::CancelRemaining);
    for (policy, kind, ending, then) in [
        (
            any_of(OnSatisfied::CancelRemaining),
            None,
            &["+a"][..],
            "a completed, b cancelled, c cancelled",
        ),
        (
            any_of(OnSatisfied::LetRun),
            None,
            &["-a", "+b"][..],
            "a failed, b completed, c active",
        ),
        (
            any_of(OnSatisfied::LetRun),
            Some(EdgeKind::Always),
            &["-a"][..],
            "a failed, b active, c active",
        ),
        (
            two,
            None,
            &["+a", "+c"][..],
            "a completed, b cancelled, c completed",
        ),
        (
            two,
            None,
            &["-a", "-c"][..],
            "a failed, b cancelled, c failed",
        ),
        (
            EdgeDependencyPolicy::AllOf,
            Some(EdgeKind::SuccessOnly),
            &["-b"][..],
            "a active, b failed, c active",
        ),
    ] {
        let parent = parent(&engine).await;
        let made = start(&engine, &parent, graph("a b c", "")).await;
        let running = claimed(&engine).await;
        let wanted = WaitFor {
            children: None,
            policy,
            kind,
        };
        wait(&engine, &parent, &wanted).await.accepted();
        for end in ending {
            settle(&engine).await;
            assert!(claimed(&engine).await.is_empty(), "{policy:?} {end}");
            match end.split_at(1) {
                ("+", name) => succeed(&engine, &running[name]).await,
                (_, name) => fail_for_good(&engine, &running[name]).await,
            }
        }
        settle(&engine).await;
        let resumed = claim_one(&engine).await;
        assert_eq!(resumed.fence.execution_id, parent.fence.execution_id);
        let shown = shown(&engine, made.id).await;
        assert!(shown.contains(then), "{policy:?}: {shown}");
        succeed(&engine, &resumed).await;
        for name in ["a", "b", "c"] {
            // Those that still run.
            let _ = engine.complete(complete(running[name].fence, "late")).await;
        }
        settle(&engine).await;
        assert!(claimed(&engine).await.is_empty());
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_could_never_end_is_refused() {
    let (database, engine) = setup().await;
    let parent = parent(&engine).await;
    let id = parent.fence.execution_id;
    let mut held = graph("a", "");
    held.edges = vec![engine::NewEdge {
        upstream: MemberRef::Id(id),
        downstream: by_name("a"),
        kind: EdgeKind::Always,
        data_passing_ref: None,
    }];
    start(&engine, &parent, held).await;
    let code = |answer: Result<(), Declined<FlowRefusal>>| answer.refused().code();
    let all = WaitFor::default();
    assert_eq!(code(wait(&engine, &parent, &all).await), "cycle_detected");
    let two = WaitFor {
        policy: quorum(2, OnSatisfied::LetRun),
        ..WaitFor::default()
    };
    assert_eq!(
        code(wait(&engine, &parent, &two).await),
        "invalid_dependency"
    );
    let other = WaitFor {
        children: Some(vec![by_name("b")]),
        ..WaitFor::default()
    };
    assert_eq!(
        code(wait(&engine, &parent, &other).await),
        "execution_not_in_flow"
    );
    // Also in the other order: the edge comes after the wait.
    start(&engine, &parent, graph("b c", "b>c")).await;
    let b = WaitFor {
        children: Some(vec![by_name("c")]),
        ..WaitFor::default()
    };
    wait(&engine, &parent, &b).await.accepted();
    let flow = model::FlowId::from_uuid(id.uuid());
    let mut circle = Graph {
        edges: edges("a>b"),
        ..Graph::default()
    };
    let grown = engine
        .grow_flow(crate::support::flows::grow(flow, circle.clone()))
        .await;
    assert_eq!(grown.refused().code(), "cycle_detected");
    circle.edges.clear();
    assert_eq!(step(&engine, &[]).await, "b");
    assert_eq!(step(&engine, &[]).await, "c");
    let resumed = claim_one(&engine).await;
    succeed(&engine, &resumed).await;
    settle(&engine).await;
    assert_eq!(step(&engine, &[]).await, "a");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_children_it_continues_at_once_and_without_a_lease_nothing_is_done() {
    let (database, engine) = setup().await;
    let parent = parent(&engine).await;
    wait(&engine, &parent, &WaitFor::default()).await.accepted();
    wait(&engine, &parent, &WaitFor::default()).await.accepted();
    let resumed = claim_one(&engine).await;
    assert!(resumed.resumes);
    let fence = parent.fence;
    let stale = engine.start_children(StartChildren {
        fence,
        graph: graph("a", ""),
    });
    assert_eq!(stale.await.refused().code(), "stale_lease");
    start(&engine, &resumed, graph("a", "")).await;
    let stale = engine.start_children(StartChildren {
        fence,
        graph: graph("b", ""),
    });
    assert_eq!(stale.await.refused().code(), "stale_lease");
    let late = WaitFor {
        children: Some(vec![by_name("a")]),
        ..WaitFor::default()
    };
    wait(&engine, &parent, &late).await.accepted();
    let never = Claimed {
        fence: model::Fence {
            lease_id: model::LeaseId(Default::default()),
            ..resumed.fence
        },
        ..resumed.clone()
    };
    assert_eq!(
        wait(&engine, &never, &late).await.refused().code(),
        "stale_lease"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_an_execution_wait_or_go_on_without_its_children() {
    let (database, engine) = setup().await;
    let parent = parent(&engine).await;
    let id = parent.fence.execution_id;
    start(&engine, &parent, graph("a b", "")).await;
    for _ in 0..2 {
        let all = WaitFor::default();
        engine
            .wait_children_override(operate(id), &all)
            .await
            .accepted();
    }
    let late = engine.complete(complete(parent.fence, "late")).await;
    assert_eq!(late.refused().code(), "execution_not_active");
    engine.unblock(operate(id), None).await.accepted();
    let running = claimed(&engine).await;
    let resumed = &running["parent"];
    // The end of the first wait does not end the second.
    start(&engine, resumed, graph("c", "")).await;
    let c = WaitFor {
        children: Some(vec![by_name("c")]),
        ..WaitFor::default()
    };
    wait(&engine, resumed, &c).await.accepted();
    succeed(&engine, &running["a"]).await;
    succeed(&engine, &running["b"]).await;
    settle(&engine).await;
    assert_eq!(step(&engine, &[]).await, "c");
    assert_eq!(claim_one(&engine).await.fence.execution_id, id);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_a_cancelled_parent_are_cancelled() {
    let (database, engine) = setup().await;
    let parent = parent(&engine).await;
    let made = start(&engine, &parent, graph("a b", "a>b")).await;
    let child = claim_one(&engine).await;
    start(&engine, &child, graph("grand", "")).await;
    let cancel = Cancel {
        id: parent.fence.execution_id,
        namespace: None,
        reason: None,
        source: Default::default(),
        actor: None,
    };
    engine.cancel(cancel).await.accepted();
    settle(&engine).await;
    let shown = shown(&engine, made.id).await;
    assert_eq!(shown.matches("cancelled").count(), 4, "{shown}");
    let a = engine.get(child.fence.execution_id, None).await.answered();
    let a = a.expect("there");
    assert_eq!(a.source.as_deref(), Some("flow_cascade"));
    assert_eq!(
        a.failure.map(|it| it.message).as_deref(),
        Some("parent_cancelled")
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_passed_along_edges_by_name() {
    let (database, engine) = setup().await;
    let mut passing = graph("a b c end", "a>end b>end c*end");
    passing.edges[0].data_passing_ref = Some("left".to_owned());
    passing.edges[2].data_passing_ref = Some("late".to_owned());
    let id = made(&engine, passing).await;
    let running = claimed(&engine).await;
    let left = engine
        .complete(complete(running["a"].fence, "from a"))
        .await;
    left.accepted();
    succeed(&engine, &running["b"]).await;
    fail_for_good(&engine, &running["c"]).await;
    settle(&engine).await;
    let end = claim_one(&engine).await;
    assert_eq!(end.input, text("end"), "its own input stays");
    assert_eq!(end.flow_id, Some(id));
    let of = end.fence.execution_id;
    let inputs = engine.flow_inputs(of).await.answered();
    let shown: Vec<_> = inputs
        .iter()
        .map(|it| (it.name.as_str(), it.outcome, it.bytes))
        .collect();
    let wanted = [
        ("late", Some(Outcome::Failed), 0),
        ("left", Some(Outcome::Success), 6),
    ];
    assert_eq!(shown, wanted);
    let left = engine.flow_input(of, "left").await.answered();
    assert_eq!(left, Some(text("from a")));
    assert_eq!(engine.flow_input(of, "late").await.answered(), None);
    assert_eq!(engine.flow_input(of, "no such").await.answered(), None);
    database.assert_invariants().await;
}
