//! Operators who change when an execution is served: blocks and priorities.

use std::time::Duration;

use engine::{Block, Create};
use model::BlockingReason;
use testkit::Answered;

use crate::support::lists;
use crate::support::work::{
    claim, claim_one, create, created, operate, operation_verbs, setup, text,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_execution_returns_to_its_place_in_the_queue() {
    let (database, engine) = setup().await;
    let held = created(&engine, create("first")).await;
    created(&engine, create("second")).await;
    let hold = |reason| Block {
        operate: operate(held),
        reason,
        detail: None,
    };
    // A repeat changes nothing.
    for _ in 0..2 {
        let answer = engine.block(hold(BlockingReason::PausedByOperator)).await;
        answer.accepted();
    }
    let info = engine.get(held, None).await.answered().expect("known");
    assert_eq!(info.blocking_reason, BlockingReason::PausedByOperator);
    assert_eq!(info.blocking_detail.as_deref(), Some("a test"));
    let other = claim_one(&engine).await;
    assert_eq!(other.input, text("second"));
    assert!(claim(&engine, 5).await.is_empty(), "the first is held");

    let refused = engine
        .unblock(operate(held), Some(BlockingReason::PausedByPolicy))
        .await;
    assert_eq!(refused.refused().code(), "execution_not_eligible");
    created(&engine, create("third")).await;
    let answer = engine
        .unblock(operate(held), Some(BlockingReason::PausedByOperator))
        .await;
    answer.accepted();
    assert_eq!(claim_one(&engine).await.input, text("first"));
    let wrong = engine.block(hold(BlockingReason::WaitingForDelay)).await;
    assert_eq!(wrong.refused().code(), "invalid_blocking_reason");
    assert_eq!(operation_verbs(&engine, held).await, ["block", "unblock"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_priority_is_served_first_also_after_a_delay() {
    let (database, engine) = setup().await;
    created(&engine, create("plain")).await;
    let urgent = created(&engine, create("urgent")).await;
    let delayed = created(
        &engine,
        Create {
            delay_ms: Some(60_000),
            ..create("delayed")
        },
    )
    .await;
    let was = engine.prioritize(operate(urgent), 10).await;
    assert_eq!(was.answered(), Ok(0));
    let was = engine.prioritize(operate(delayed), 9000).await;
    assert_eq!(was.answered(), Ok(0));
    let wrong = engine.prioritize(operate(urgent), 9001).await;
    assert!(wrong.answered().is_err());
    let info = engine.get(urgent, None).await.answered().expect("known");
    assert_eq!(info.priority, 10);
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let order: Vec<_> = claim(&engine, 5)
        .await
        .into_iter()
        .map(|c| c.input)
        .collect();
    assert_eq!(order, [text("delayed"), text("urgent"), text("plain")]);
    let operations = lists::operations(&engine, urgent).await;
    assert_eq!(operations[0].detail.as_deref(), Some("0 → 10"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_no_worker_can_run_returns_to_its_place_when_a_capable_one_appears() {
    let (database, engine) = setup().await;
    let mut demanding = create("needs a large one");
    let required = &mut demanding.policy.routing_requirements.required_capabilities;
    required.extend(["gpu".to_owned(), "large".to_owned()]);
    let id = created(&engine, demanding).await;
    let block = Block {
        operate: operate(id),
        reason: BlockingReason::WaitingForCapableWorker,
        detail: None,
    };
    engine.block(block).await.accepted();
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(
        info.state_vector.eligibility_state,
        model::EligibilityState::BlockedByRoute
    );
    let register = |instance: &str, lanes: &[&str], capabilities: &[&str]| engine::RegisterWorker {
        worker_instance_id: instance.to_owned(),
        worker_id: instance.to_owned(),
        worker_type: model::WorkerType::Native,
        namespace: None,
        keeps_namespace: false,
        lanes: lanes.iter().map(ToString::to_string).collect(),
        kinds: ["echo".to_owned()].into(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        host: None,
        version: None,
        liveness_ttl_ms: 30_000,
    };
    // Each has what is missing in the other: together they can run nothing.
    for worker in [
        register("gpu", &[], &["gpu"]),
        register("large", &[], &["large"]),
        register("elsewhere", &["other"], &["gpu", "large"]),
    ] {
        let registered = engine.register_worker(worker).await;
        registered.accepted();
    }
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(
        info.blocking_reason,
        BlockingReason::WaitingForCapableWorker
    );
    let both = register("both", &["default"], &["gpu", "large", "fast"]);
    let registered = engine.register_worker(both).await;
    registered.accepted();
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.blocking_reason, BlockingReason::WaitingForWorker);
    database.assert_invariants().await;
}
