//! Replays: what begins again with them, and what stays.

use std::time::Duration;

use model::{AttemptType, FailureClass, PublicState};
use testkit::Answered;

use crate::support::lists;
use crate::support::work::{
    claim_one, complete, create, created, fail, operate, operation_verbs, setup, text,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_execution_is_replayed_as_a_new_attempt() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.retry_policy.max_retries = 0;
    request.policy.max_replay_count = 2;
    let id = created(&engine, request).await;
    let first = claim_one(&engine).await;
    let answer = engine
        .fail(fail(first.fence, FailureClass::Permanent))
        .await;
    answer.accepted();

    let replayed = engine.replay(operate(id)).await;
    assert_eq!(replayed.accepted().replays, 1);
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Waiting);
    assert_eq!((info.retries, info.replays, info.failure), (0, 1, None));
    let mut bobs = operate(id);
    bobs.by.actor = "bob".to_owned();
    let refused = engine.replay(bobs).await;
    assert_eq!(refused.refused().code(), "execution_not_terminal");

    let second = claim_one(&engine).await;
    assert_eq!(second.attempt_type, AttemptType::Replay);
    assert_eq!(second.fence.attempt, 1);
    assert!(second.fence.epoch > first.fence.epoch + 1, "the epoch grew");
    let late = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(late.refused().code(), "stale_lease");
    let answer = engine.complete(complete(second.fence, "well")).await;
    answer.accepted();
    let result = engine.result(id, None).await.answered();
    assert_eq!(result, Some(text("well")));
    let attempts = lists::attempts(&engine, id).await;
    assert_eq!(attempts.len(), 2, "the first attempt is still told of");
    assert!(attempts[0].leases[0].failure.is_some());

    engine.replay(operate(id)).await.accepted();
    let third = claim_one(&engine).await;
    let answer = engine.complete(complete(third.fence, "again")).await;
    answer.accepted();
    let refused = engine.replay(operate(id)).await;
    assert_eq!(refused.refused().code(), "max_replays_exhausted");
    assert_eq!(operation_verbs(&engine, id).await, ["replay", "replay"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relative_deadline_starts_again_at_a_replay() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.timeout_policy.execution_deadline_ms = Some(60_000);
    let id = created(&engine, request).await;
    let answer = engine
        .complete(complete(claim_one(&engine).await.fence, "a"))
        .await;
    answer.accepted();
    database.advance(Duration::from_secs(50)).await;
    engine.replay(operate(id)).await.accepted();
    database.advance(Duration::from_secs(50)).await;
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Waiting);
    database.advance(Duration::from_secs(11)).await;
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Expired);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_priority_outlives_the_end_and_the_replay() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let answer = engine.prioritize(operate(id), 9000).await;
    assert_eq!(answer.accepted(), 0);
    let first = claim_one(&engine).await;
    let answer = engine.complete(complete(first.fence, "well")).await;
    answer.accepted();
    let priority = async || {
        let info = engine.get(id, None).await.answered();
        info.expect("known").priority
    };
    assert_eq!(priority().await, 9000, "when it has ended");
    let mut urgent = create("urgent");
    urgent.priority = 8999;
    created(&engine, urgent).await;
    let answer = engine.replay(operate(id)).await;
    answer.accepted();
    assert_eq!(priority().await, 9000, "when it is replayed");
    let next = claim_one(&engine).await;
    assert_eq!(next.fence.execution_id, id, "and it is served so");
    assert_eq!(priority().await, 9000, "while it runs");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_before_a_replay_do_not_count_against_its_limit() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.max_signals_per_execution = 2;
    let id = created(&engine, request).await;
    for life in 0..3 {
        let fence = claim_one(&engine).await.fence;
        let door = crate::support::waiting::waitpoint(&engine, fence, "door").await;
        for number in 0..2 {
            let signal = crate::support::waiting::signal(&door.token, "knock");
            let answer = crate::support::waiting::try_deliver(&engine, signal).await;
            answer.unwrap_or_else(|refusal| panic!("life {life}, signal {number}: {refusal}"));
        }
        let signal = crate::support::waiting::signal(&door.token, "knock");
        let refused = crate::support::waiting::try_deliver(&engine, signal).await;
        assert_eq!(
            refused.expect_err("two are all").code(),
            "signal_limit_exceeded"
        );
        let answer = engine.complete(complete(fence, "well")).await;
        answer.accepted();
        let answer = engine.replay(operate(id)).await;
        answer.accepted();
    }
    database.assert_invariants().await;
}
