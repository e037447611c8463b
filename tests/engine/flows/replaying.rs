//! Replays of members: what follows from their ends is decided again.

use engine::{Block, Operate};
use model::{BlockingReason, FlowStatus, OnSatisfied};
use testkit::Answered;

use crate::support::flows::{
    any_of, claimed, fail_for_good, graph, group, id_of, info, made, quorum, settle, shown, step,
};
use crate::support::work::{operate, setup};

async fn replay(engine: &engine::Engine, flow: model::FlowId, name: &str) {
    let id = id_of(engine, flow, name).await;
    engine.replay(operate(id)).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_skipped_waits_again_for_the_member_that_is_replayed() {
    let (database, engine) = setup().await;
    let joined = "a>b b>c c>d a?undo c*log x>b";
    let id = made(&engine, graph("a b c d log undo x", joined)).await;
    assert_eq!(step(&engine, &["a"]).await, "a x");
    let then = "a failed, b skipped, c skipped, d skipped, log waiting, undo waiting, x completed";
    assert_eq!(shown(&engine, id).await, then);
    replay(&engine, id, "a").await;
    // What began because of the failure is not undone.
    let then = "a waiting, b waiting_children, c waiting_children, d waiting_children, \
                log waiting, undo waiting, x completed";
    assert_eq!(shown(&engine, id).await, then);
    assert_eq!(info(&engine, id).await.ended_count, 1);
    database.assert_invariants().await;
    for names in ["a log undo", "b", "c", "d"] {
        assert_eq!(step(&engine, &[]).await, names);
    }
    let flow = info(&engine, id).await;
    assert_eq!((flow.status, flow.ended_count), (FlowStatus::Completed, 7));
    database.assert_invariants().await;
    // It may fail again, with the same consequences.
    replay(&engine, id, "b").await;
    assert_eq!(step(&engine, &["b"]).await, "b");
    let failed = info(&engine, id).await;
    assert_eq!((failed.status, failed.ended_count), (FlowStatus::Failed, 7));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_member_waits_for_those_that_are_replayed_after_it() {
    let (database, engine) = setup().await;
    let mut votes = graph("a b c end last", "a>end b>end c>end end>last");
    votes.groups = vec![group("end", quorum(2, OnSatisfied::LetRun))];
    let id = made(&engine, votes).await;
    assert_eq!(step(&engine, &["a", "b"]).await, "a b c");
    let then = "a failed, b failed, c completed, end skipped, last skipped";
    assert_eq!(shown(&engine, id).await, then);
    replay(&engine, id, "end").await;
    let then = "a failed, b failed, c completed, end waiting_children, last waiting_children";
    assert_eq!(shown(&engine, id).await, then);
    settle(&engine).await;
    assert_eq!(shown(&engine, id).await, then, "nothing has changed");
    let end = id_of(&engine, id, "end").await;
    let refused = engine.unblock(operate(end), None).await.refused();
    assert_eq!(refused.code(), "deps_not_satisfied");
    replay(&engine, id, "b").await;
    assert_eq!(step(&engine, &[]).await, "b");
    assert_eq!(step(&engine, &[]).await, "end");
    assert_eq!(step(&engine, &[]).await, "last");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_counts_the_new_end_of_a_member_and_not_the_old_one() {
    let (database, engine) = setup().await;
    let mut race = graph("a b end", "a>end b>end");
    race.groups = vec![group("end", any_of(OnSatisfied::LetRun))];
    let id = made(&engine, race).await;
    let running = claimed(&engine).await;
    fail_for_good(&engine, &running["a"]).await;
    settle(&engine).await;
    replay(&engine, id, "a").await;
    database.assert_invariants().await;
    fail_for_good(&engine, &running["b"]).await;
    settle(&engine).await;
    assert_eq!(
        shown(&engine, id).await,
        "a waiting, b failed, end waiting_children"
    );
    assert_eq!(step(&engine, &["a"]).await, "a");
    assert_eq!(shown(&engine, id).await, "a failed, b failed, end skipped");
    // Before the flow has taken note of the end.
    replay(&engine, id, "a").await;
    let again = claimed(&engine).await;
    fail_for_good(&engine, &again["a"]).await;
    replay(&engine, id, "a").await;
    assert_eq!(step(&engine, &[]).await, "a");
    assert_eq!(step(&engine, &[]).await, "end");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_cancelled_flow_is_replayed_alone() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("a b", "a>b")).await;
    let cancel = engine::CancelFlow {
        id,
        namespace: None,
        reason: None,
        policy: None,
        actor: "alice".to_owned(),
        wait: Some(std::time::Duration::from_secs(10)),
    };
    engine.cancel_flow(cancel).await.accepted();
    settle(&engine).await;
    replay(&engine, id, "b").await;
    assert_eq!(shown(&engine, id).await, "a cancelled, b waiting");
    assert_eq!(step(&engine, &[]).await, "b");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_released_may_be_blocked_and_unblocked() {
    let (database, engine) = setup().await;
    let id = made(&engine, graph("a b", "a>b")).await;
    assert_eq!(step(&engine, &[]).await, "a");
    let b = id_of(&engine, id, "b").await;
    let block = Block {
        operate: operate(b),
        reason: BlockingReason::PausedByOperator,
        detail: None,
    };
    engine.block(block).await.accepted();
    let operate: Operate = operate(b);
    engine.unblock(operate, None).await.accepted();
    assert_eq!(step(&engine, &[]).await, "b");
    database.assert_invariants().await;
}
