//! Operators who end a lease or an execution, and what its holder is told.

use std::time::Duration;

use engine::{Create, Revoke, WaitFor};
use model::{
    AlreadySatisfied, AttemptType, Failure, FailureClass, LeaseId, PublicState, TimeoutBehavior,
};
use testkit::Answered;

use crate::support::flows;
use crate::support::lists;
use crate::support::waiting::{single, suspend, suspended};
use crate::support::work::{
    claim, claim_one, complete, create, created, operate, operation_verbs, setup, text,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_lease_is_refused_by_name_and_another_worker_continues() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let mut lost = engine.lost_leases();
    let first = claim_one(&engine).await;
    let revoke = |lease| Revoke {
        operate: operate(id),
        expected_lease_id: lease,
    };
    let stranger = Some(LeaseId(uuid::Uuid::nil()));
    let refused = engine.revoke(revoke(stranger)).await;
    assert_eq!(refused.refused().code(), "stale_lease");
    let lease = Some(first.fence.lease_id);
    let revoked = engine.revoke(revoke(lease)).await.answered();
    let revoked = revoked.expect("revoked");
    assert_eq!((revoked.epoch, revoked.already), (first.fence.epoch, None));
    assert_eq!(lost.recv().await, Ok(id), "the holder is told");
    let again = engine.revoke(revoke(lease)).await;
    let again = again.accepted();
    assert_eq!(
        (again.lease_id, again.already),
        (first.fence.lease_id, Some(AlreadySatisfied::AlreadyRevoked))
    );

    let late = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(late.refused().code(), "lease_revoked");
    let renewed = engine.renew(&[first.fence], 30_000).await.answered();
    assert!(renewed[0].is_err());
    let second = claim_one(&engine).await;
    assert_eq!(second.attempt_type, AttemptType::Reclaim);
    let answer = engine.complete(complete(second.fence, "well")).await;
    answer.accepted();
    let none = engine.revoke(revoke(None)).await;
    assert_eq!(none.refused().code(), "no_active_lease");
    assert_eq!(operation_verbs(&engine, id).await, ["revoke"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_an_expired_lease_says_that_it_had_expired() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let first = claim_one(&engine).await;
    database.advance(Duration::from_secs(31)).await;
    engine.reconcile().await.expect("swept");
    let revoke = |lease| Revoke {
        operate: operate(id),
        expected_lease_id: lease,
    };
    let lapsed = Some(first.fence.lease_id);
    let mut answers = vec![
        engine.revoke(revoke(None)).await,
        engine.revoke(revoke(lapsed)).await,
    ];
    let second = claim_one(&engine).await;
    // Another holds it now, and keeps it.
    answers.push(engine.revoke(revoke(lapsed)).await);
    for answer in answers {
        let answer = answer.accepted();
        assert_eq!(
            (answer.lease_id, answer.epoch, answer.already),
            (
                first.fence.lease_id,
                first.fence.epoch,
                Some(AlreadySatisfied::AlreadyExpired)
            )
        );
    }
    let answer = engine.complete(complete(second.fence, "well")).await;
    answer.accepted();
    let none = engine.revoke(revoke(Some(second.fence.lease_id))).await;
    let refused = none.refused();
    assert_eq!(refused.code(), "no_active_lease");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_ends_a_lease_in_each_of_the_holders_ways() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let idle = engine.complete_override(operate(id), text("early")).await;
    assert_eq!(idle.refused().code(), "execution_not_active");
    let holder = claim_one(&engine).await;
    let due = engine
        .delay_override(operate(id), engine::Due::InMs(60_000))
        .await;
    assert!(due.accepted().is_some());
    let late = engine.complete(complete(holder.fence, "late")).await;
    assert_eq!(late.refused().code(), "execution_not_active");
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let holder = claim_one(&engine).await;
    assert!(holder.resumes, "the same attempt resumes");
    flows::start_child(&engine, holder.fence).await;
    let waits = engine
        .wait_children_override(operate(id), &WaitFor::default())
        .await;
    waits.accepted();
    let late = engine.complete(complete(holder.fence, "late")).await;
    assert_eq!(late.refused().code(), "execution_not_active");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::WaitingChildren);
    engine.unblock(operate(id), None).await.accepted();
    let holder = claim_one(&engine).await;
    assert!(holder.resumes, "the same attempt resumes");
    let failure = Failure::new(FailureClass::Transient, "by_hand", "told to");
    let due = engine.fail_override(operate(id), failure).await;
    assert!(due.accepted().is_some(), "retried");
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let holder = claim_one(&engine).await;
    let answer = engine.complete_override(operate(id), text("by hand")).await;
    answer.accepted();
    let late = engine.complete(complete(holder.fence, "late")).await;
    assert_eq!(late.refused().code(), "execution_not_active");
    let result = engine.result(id, None).await.answered();
    assert_eq!(result, Some(text("by hand")));
    assert_eq!(
        operation_verbs(&engine, id).await,
        ["delay", "wait_children", "unblock", "fail", "complete"]
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_with_class_timeout_and_a_caller_with_class_cancelled() {
    let (database, engine) = setup().await;
    let class = async |id| {
        let info = engine.get(id, None).await.answered().expect("known");
        let failure = info.failure.expect("it did not end well");
        (info.public_state, failure.code, failure.class)
    };
    let mut with_deadline = create("x");
    with_deadline.policy.timeout_policy.execution_deadline_ms = Some(1_000);
    let overdue = created(&engine, with_deadline.clone()).await;
    let running = created(&engine, with_deadline).await;
    claim(&engine, 1).await;
    let mut waiting = Vec::new();
    for behavior in [
        TimeoutBehavior::Fail,
        TimeoutBehavior::Cancel,
        TimeoutBehavior::Expire,
    ] {
        let id = created(
            &engine,
            Create {
                lane: "other".into(),
                ..create("x")
            },
        )
        .await;
        let held = engine.claim(engine::Claim {
            worker_instance_id: "test".to_owned(),
            namespaces: None,
            lanes: vec!["other".to_owned()],
            kinds: None,
            capabilities: Default::default(),
            max: 1,
            lease_ttl_ms: 30_000,
        });
        let fence = held.await.answered().remove(0).fence;
        let mut suspend = suspend(fence, single("door", "open"));
        suspend.timeout = Some(engine::SuspensionTimeout::InMs(1_000));
        suspend.timeout_behavior = Some(behavior);
        suspended(&engine, suspend).await;
        waiting.push(id);
    }
    database.advance(Duration::from_secs(2)).await;
    engine.reconcile().await.expect("swept");
    for id in [overdue, running] {
        let (state, code, class) = class(id).await;
        assert_eq!(
            (state, code.as_str(), class),
            (
                PublicState::Expired,
                "execution_deadline",
                FailureClass::Timeout
            )
        );
    }
    for (id, state) in waiting.into_iter().zip([
        PublicState::Failed,
        PublicState::Cancelled,
        PublicState::Expired,
    ]) {
        let code = "suspension_timeout".to_owned();
        assert_eq!(class(id).await, (state, code, FailureClass::Timeout));
    }
    let expired = created(&engine, create("x")).await;
    claim_one(&engine).await;
    engine
        .expire(operate(expired), Default::default())
        .await
        .accepted();
    assert_eq!(class(expired).await.2, FailureClass::Timeout);
    let attempts = lists::attempts(&engine, expired).await;
    let failure = attempts[0].leases[0].failure.as_ref().expect("it expired");
    assert_eq!(failure.class, FailureClass::Timeout, "of the attempt too");
    let cancelled = created(&engine, create("x")).await;
    let cancel = engine::Cancel {
        id: cancelled,
        namespace: None,
        reason: None,
        source: Default::default(),
        actor: None,
    };
    engine.cancel(cancel).await.accepted();
    assert_eq!(class(cancelled).await.2, FailureClass::Cancelled);
    database.assert_invariants().await;
}
