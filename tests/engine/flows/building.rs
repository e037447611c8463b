//! How a flow is made and grows, and what is refused.

use engine::{Create, CreateFlow, Declined, Graph, GrowFlow, MemberRef, NewEdge};
use model::{EdgeKind, FlowRefusal, OnSatisfied, PublicState};
use testkit::Answered;

use crate::support::flows::{
    any_of, by_name, claimed, edge, edges, flow, graph, group, grow, id_of, info, made, made_whole,
    member, quorum, settle, shown, states, step, succeed,
};
use crate::support::work::{create, created, setup, text};

fn code<T: std::fmt::Debug>(answer: Result<T, Declined<FlowRefusal>>) -> &'static str {
    let declined = answer.expect_err("it is refused");
    declined.refusal().expect("no fault").code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_is_made_whole_or_not_at_all() {
    let (database, engine) = setup().await;
    let refused = [
        (graph("a b", "a>b b>a"), "cycle_detected"),
        (graph("a", "a>a"), "self_referencing_edge"),
        (graph("a b", "a>c"), "execution_not_in_flow"),
        (graph("a b", "a>b a?b"), "dependency_already_exists"),
        (graph("a a", ""), "invalid_input"),
    ];
    for (graph, expected) in refused {
        assert_eq!(code(engine.create_flow(flow(graph)).await), expected);
    }
    let mut unknown = graph("a b", "a>b");
    unknown.members[1].create = Create::new("nothing-serves-this", text(""));
    assert_eq!(
        code(engine.create_flow(flow(unknown)).await),
        "unknown_kind"
    );
    let mut few = graph("a b c", "a>c b>c");
    few.groups = vec![group("c", quorum(3, OnSatisfied::LetRun))];
    assert_eq!(
        code(engine.create_flow(flow(few)).await),
        "invalid_dependency"
    );
    let mut named = graph("a", "");
    named.members[0].create.idempotency_key = Some("k".to_owned());
    assert_eq!(code(engine.create_flow(flow(named)).await), "invalid_input");
    let made = made_whole(&engine, graph("a b c", "a>b b>c")).await;
    assert_eq!(
        (made.graph_revision, made.node_count, made.edge_count),
        (5, 3, 2)
    );
    let ids: Vec<_> = made.members.iter().map(|member| member.id).collect();
    assert!(ids.is_sorted(), "members are in the order of the request");
    let mut rows = database.connection().await;
    let flows: i64 = sqlx::query_scalar("SELECT count(*) FROM flow")
        .fetch_one(&mut rows)
        .await
        .expect("counted");
    assert_eq!(flows, 1, "what was refused left nothing");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_is_named_by_its_members() {
    let (_database, engine) = setup().await;
    let answer = engine
        .create_flow(flow(graph("a b c d", "a>b b>c c>d d>b")))
        .await;
    let refusal = answer.expect_err("refused").refusal().expect("no fault");
    let cycle = ["b", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(refusal, FlowRefusal::CycleDetected { cycle });
    // Also where part of it is there already.
    let id = made(&engine, graph("a b c", "a>b b>c")).await;
    let more = Graph {
        edges: edges("c>a"),
        ..Graph::default()
    };
    let answer = engine.grow_flow(grow(id, more)).await;
    // `a` is ready, and would wait for what waits for it.
    assert_eq!(code(answer), "cycle_detected");
    assert_eq!(step(&engine, &[]).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_creation_is_answered_with_the_first_flow() {
    let (_database, engine) = setup().await;
    let keyed = |members: &str, joined: &str| CreateFlow {
        idempotency_key: Some("order-7".to_owned()),
        ..flow(graph(members, joined))
    };
    let first = engine.create_flow(keyed("a b", "a>b")).await.accepted();
    assert!(first.applied);
    let again = engine.create_flow(keyed("a b", "a>b")).await.accepted();
    assert!(!again.applied);
    assert_eq!(again.id, first.id);
    let ids = |made: &engine::FlowChanged| made.members.iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&first));
    let other = engine.create_flow(keyed("a b", "a*b")).await;
    assert_eq!(code(other), "idempotency_conflict");
    let mut elsewhere = keyed("a b", "a>b");
    elsewhere.namespace = "blue".to_owned();
    let elsewhere = engine.create_flow(elsewhere).await.accepted();
    assert_ne!(elsewhere.id, first.id, "a key is of its namespace");
    let same_id = CreateFlow {
        id: Some(first.id),
        ..flow(graph("a", ""))
    };
    assert_eq!(code(engine.create_flow(same_id).await), "id_conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_grows_while_it_runs() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("a b", "a>b")).await;
    assert_eq!(step(&engine, &[]).await, "a");
    // `a` has ended, `b` is ready: it may still be made to wait.
    let more = graph("c d", "a>c c>d c>b");
    let grown = engine.grow_flow(grow(id, more.clone())).await;
    assert_eq!(
        code(grown),
        "invalid_dependency",
        "what `b` waits for is decided"
    );
    let more = graph("c d", "a>c c>d");
    let grown = engine.grow_flow(grow(id, more.clone())).await.accepted();
    assert_eq!(
        (grown.graph_revision, grown.node_count, grown.edge_count),
        (7, 4, 3)
    );
    let again = engine
        .grow_flow(grow(id, graph("c d", "")))
        .await
        .accepted();
    assert!(!again.applied, "members of these names are there");
    assert_eq!(again.members.len(), 2);
    let mut other = graph("c", "");
    other.members[0].create.input = text("something else");
    let other = engine.grow_flow(grow(id, other)).await;
    assert_eq!(code(other), "idempotency_conflict");
    let again = engine.grow_flow(grow(id, graph("", "c>d"))).await;
    assert_eq!(code(again), "dependency_already_exists");
    let stale = GrowFlow {
        expected_graph_revision: Some(3),
        ..grow(id, graph("e", ""))
    };
    assert_eq!(code(engine.grow_flow(stale).await), "stale_graph_revision");
    settle(&engine).await;
    assert_eq!(step(&engine, &[]).await, "b c");
    assert_eq!(step(&engine, &[]).await, "d");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_makes_a_member_wait_that_has_not_started_and_no_other() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("a b c", "")).await;
    let joined = engine.grow_flow(grow(id, graph("", "a>b"))).await;
    joined.accepted();
    let then = "a waiting, b waiting_children, c waiting";
    assert_eq!(shown(&engine, id).await, then);
    let running = claimed(&engine).await;
    let started = engine.grow_flow(grow(id, graph("", "a>c"))).await;
    assert_eq!(code(started), "invalid_dependency");
    succeed(&engine, &running["c"]).await;
    let ended = engine.grow_flow(grow(id, graph("", "a>c"))).await;
    assert_eq!(code(ended), "invalid_dependency");
    let more = engine.grow_flow(grow(id, graph("", "c>b"))).await;
    more.accepted();
    succeed(&engine, &running["a"]).await;
    settle(&engine).await;
    assert_eq!(step(&engine, &[]).await, "b");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_a_group_is_fixed_by_its_first_edge() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("a b end", "")).await;
    let set = |policy| Graph {
        groups: vec![group("end", policy)],
        ..Graph::default()
    };
    let any = any_of(OnSatisfied::LetRun);
    let grown = engine.grow_flow(grow(id, set(any))).await.accepted();
    assert!(grown.applied);
    assert_eq!(states(&engine, id).await["end"], PublicState::Waiting);
    let again = engine.grow_flow(grow(id, set(any))).await.accepted();
    assert!(!again.applied, "it has that policy");
    let other = quorum(2, OnSatisfied::LetRun);
    engine.grow_flow(grow(id, set(other))).await.accepted();
    engine
        .grow_flow(grow(id, graph("", "a>end")))
        .await
        .accepted();
    assert_eq!(
        code(engine.grow_flow(grow(id, set(any))).await),
        "edge_group_policy_already_fixed"
    );
    engine.grow_flow(grow(id, set(other))).await.accepted();
    engine
        .grow_flow(grow(id, graph("", "b>end")))
        .await
        .accepted();
    assert_eq!(step(&engine, &[]).await, "a b");
    assert_eq!(step(&engine, &[]).await, "end");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_exist_join_a_flow_in_any_state() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("", "")).await;
    let ended = created(&engine, create("ended")).await;
    let running = created(&engine, create("running")).await;
    let mut leases = claimed(&engine).await;
    succeed(&engine, &leases.remove("ended").expect("claimed")).await;
    let waiting = created(&engine, create("waiting")).await;
    let add = |ids: &[model::ExecutionId]| Graph {
        added: ids.to_vec(),
        ..Graph::default()
    };
    let grown = engine
        .grow_flow(grow(id, add(&[ended, running, waiting])))
        .await;
    assert_eq!(grown.accepted().node_count, 3);
    let again = engine.grow_flow(grow(id, add(&[waiting]))).await.accepted();
    assert!(!again.applied);
    let other = made(&engine, graph("", "")).await;
    let taken = engine.grow_flow(grow(other, add(&[waiting]))).await;
    assert_eq!(code(taken), "execution_already_in_flow");
    let mut elsewhere = create("x");
    elsewhere.namespace = "blue".to_owned();
    let elsewhere = created(&engine, elsewhere).await;
    let foreign = engine.grow_flow(grow(id, add(&[elsewhere]))).await;
    assert_eq!(code(foreign), "execution_not_found");
    // Edges from all of them: the ends before and after both count.
    let to_last = |upstream| NewEdge {
        upstream: MemberRef::Id(upstream),
        ..edge("", "last", EdgeKind::SuccessOnly)
    };
    let last = Graph {
        members: vec![member("last")],
        edges: [ended, running, waiting].map(to_last).to_vec(),
        ..Graph::default()
    };
    engine.grow_flow(grow(id, last)).await.accepted();
    succeed(&engine, &leases["running"]).await;
    settle(&engine).await;
    let found = engine.get(running, None).await.answered().expect("there");
    assert_eq!(found.flow_id, Some(id));
    // Those of other flows and namespaces are claimed with it.
    let claimed = claimed(&engine).await;
    succeed(&engine, &claimed["waiting"]).await;
    settle(&engine).await;
    assert_eq!(step(&engine, &[]).await, "last");
    assert_eq!(info(&engine, id).await.ended_count, 4);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_of_another_namespace_is_not_found() {
    let (_database, engine) = setup().await;
    let id = made(&engine, graph("a", "")).await;
    let foreign = GrowFlow {
        namespace: Some("blue".to_owned()),
        ..grow(id, graph("b", ""))
    };
    assert_eq!(code(engine.grow_flow(foreign).await), "flow_not_found");
    assert!(engine.flow(id, Some("blue")).await.answered().is_none());
    let a = id_of(&engine, id, "a").await;
    let edges_to = Graph {
        edges: vec![NewEdge {
            upstream: MemberRef::Id(created(&engine, create("x")).await),
            downstream: by_name("a"),
            kind: EdgeKind::Always,
            data_passing_ref: None,
        }],
        ..Graph::default()
    };
    assert_eq!(
        code(engine.grow_flow(grow(id, edges_to)).await),
        "execution_not_in_flow"
    );
    assert_eq!(a.partition(), id.partition());
}
