//! What follows from the end of a member: who begins, who is skipped, who is cancelled.

use engine::CreateFlow;
use model::{EventFact, EventFamily, FlowFact, FlowStatus, OnSatisfied, PublicState};
use testkit::Answered;

use crate::support::flows::{
    any_of, claimed, flow, graph, group, info, made, made_whole, members, quorum, settle, shown,
    states, step, succeed,
};
use crate::support::idle_worker::{idle_worker, wanted};
use crate::support::lists::events;
use crate::support::work::setup;

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_runs_one_after_the_other() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("a b c", "a>b b>c")).await;
    let begun = "a waiting, b waiting_children, c waiting_children";
    assert_eq!(shown(&engine, id).await, begun);
    assert_eq!(step(&engine, &[]).await, "a");
    assert_eq!(step(&engine, &[]).await, "b");
    assert_eq!(info(&engine, id).await.status, FlowStatus::Active);
    assert_eq!(step(&engine, &[]).await, "c");
    let flow = info(&engine, id).await;
    assert_eq!((flow.status, flow.ended_count), (FlowStatus::Completed, 3));
    assert!(flow.ended_at.is_some());
    let told = events::all(&engine, &events::of(EventFamily::Flow)).await;
    let told: Vec<_> = told
        .iter()
        .map(|it| (it.logged.flow_id, &it.fact))
        .collect();
    let completed = EventFact::Flow(FlowFact::Ended(Some("completed".to_owned())));
    assert_eq!(told, [(Some(id), &completed)]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_skips_what_needs_success_and_runs_what_waits_for_it() {
    let (database, engine) = setup().await;
    let joined = "a>b b>c b?undo b*log undo>note";
    let id = made(&engine, graph("a b c log note undo", joined)).await;
    assert_eq!(step(&engine, &[]).await, "a");
    assert_eq!(step(&engine, &["b"]).await, "b");
    let then = "a completed, b failed, c skipped, log waiting, note waiting_children, undo waiting";
    assert_eq!(shown(&engine, id).await, then);
    assert_eq!(step(&engine, &[]).await, "log undo");
    assert_eq!(step(&engine, &[]).await, "note");
    let flow = info(&engine, id).await;
    assert_eq!((flow.status, flow.bad_count), (FlowStatus::Failed, 1));
    // Without a failure, what waits for one is skipped, and what waits for that too.
    let id = made(&engine, graph("a b c log note undo", joined)).await;
    for names in ["a", "b", "c log"] {
        assert_eq!(step(&engine, &[]).await, names);
    }
    let then = "a completed, b completed, c completed, log completed, note skipped, undo skipped";
    assert_eq!(shown(&engine, id).await, then);
    assert_eq!(info(&engine, id).await.status, FlowStatus::Completed);
    let skipped = &members(&engine, id).await["undo"];
    let failure = skipped.execution.failure.clone().expect("it says why");
    assert_eq!(failure.code, "dependency_impossible");
    assert_eq!(skipped.execution.source.as_deref(), Some("flow_cascade"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_is_enough_and_the_rest_is_cancelled_or_runs_on() {
    let (database, engine) = setup().await;
    for (on_satisfied, rest) in [
        (OnSatisfied::CancelRemaining, "cancelled"),
        (OnSatisfied::LetRun, "active"),
    ] {
        let mut race = graph("a b c end", "a>end b>end c>end");
        race.groups = vec![group("end", any_of(on_satisfied))];
        let id = made(&engine, race).await;
        let running = claimed(&engine).await;
        assert_eq!(running.len(), 3);
        succeed(&engine, &running["b"]).await;
        settle(&engine).await;
        let then = format!("a {rest}, b completed, c {rest}, end waiting");
        assert_eq!(shown(&engine, id).await, then);
        let cancelled = &members(&engine, id).await["a"].execution;
        if rest == "cancelled" {
            let failure = cancelled.failure.clone().expect("it says why");
            assert_eq!(failure.message, "sibling_quorum_satisfied");
            assert_eq!(cancelled.source.as_deref(), Some("flow_cascade"));
        } else {
            succeed(&engine, &running["a"]).await;
            succeed(&engine, &running["c"]).await;
        }
        assert_eq!(step(&engine, &[]).await, "end");
        let end = members(&engine, id).await.remove("end").expect("there");
        let group = end.group.expect("edges lead to it");
        assert_eq!(
            (group.total, group.running()),
            (3, 0),
            "all ends are counted"
        );
        assert_eq!(end.execution.attempts, 1, "decided once");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_that_cannot_come_true_skips_and_cancels_the_rest() {
    let (database, engine) = setup().await;
    let mut votes = graph("a b c d end", "a>end b>end c>end d>end");
    votes.groups = vec![group("end", quorum(3, OnSatisfied::CancelRemaining))];
    let id = made(&engine, votes).await;
    let running = claimed(&engine).await;
    for name in ["a", "b"] {
        crate::support::flows::fail_for_good(&engine, &running[name]).await;
        settle(&engine).await;
    }
    let then = "a failed, b failed, c cancelled, d cancelled, end skipped";
    assert_eq!(shown(&engine, id).await, then);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skip_cascades_through_thousands_of_levels() {
    let (database, engine) = setup().await;
    let names: Vec<String> = (0..3000).map(|n| format!("m{n}")).collect();
    let joined: Vec<String> = names
        .windows(2)
        .map(|w| format!("{}>{}", w[0], w[1]))
        .collect();
    let id = made(&engine, graph(&names.join(" "), &joined.join(" "))).await;
    assert_eq!(step(&engine, &["m0"]).await, "m0");
    let states = states(&engine, id).await;
    let skipped = states
        .values()
        .filter(|state| **state == PublicState::Skipped);
    assert_eq!(skipped.count(), 2999);
    let counters = engine.flow_counters(id).await.answered();
    assert_eq!(
        (counters.skipped, counters.failed, counters.total),
        (2999, 1, 3000)
    );
    assert_eq!(info(&engine, id).await.ended_count, 3000);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_ready_is_handed_to_an_idle_worker_with_its_flow() {
    let (database, engine) = setup().await;
    let reconcilers = engine.start_reconcilers(Default::default());
    let (worker, taken) = idle_worker(&engine, 2);
    worker.open(wanted());
    let made = made_whole(&engine, graph("a b", "a>b")).await;
    assert_eq!(made.members[0].state, Some(PublicState::Active));
    let (first, slot) = taken.lock().expect("sound").pop().expect("dispatched");
    assert_eq!(first.flow_id, Some(made.id));
    succeed(&engine, &first).await;
    drop(slot);
    let (second, _slot) = testkit::eventually("the next is dispatched", async || {
        taken.lock().expect("sound").pop()
    })
    .await;
    assert_eq!(second.fence.execution_id, made.members[1].id);
    assert_eq!(second.flow_id, Some(made.id));
    assert_eq!((second.fence.epoch, second.fence.attempt), (1, 0));
    succeed(&engine, &second).await;
    testkit::eventually("the flow has ended", async || {
        let info = info(&engine, made.id).await;
        (info.status == FlowStatus::Completed).then_some(())
    })
    .await;
    reconcilers.stop().await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_member_waits_for_its_time_after_its_edges() {
    let (database, engine) = setup().await;
    let mut late = graph("a b", "a>b");
    late.members[1].create.delay_ms = Some(60_000);
    let create: CreateFlow = flow(late);
    let id = engine.create_flow(create).await.accepted().id;
    assert_eq!(step(&engine, &[]).await, "a");
    assert_eq!(shown(&engine, id).await, "a completed, b delayed");
    database.assert_invariants().await;
}
