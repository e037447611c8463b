//! Verbs of operators, which need no fence: what they change, what the holder
//! then meets, and that they are kept with the execution.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Block, Create, Engine, ListFilter, ListPage, Revoke};
use model::{
    AlreadySatisfied, AttemptType, BlockingReason, ExecutionId, Failure, FailureClass, LeaseId,
    Limits, PublicState, SuspensionReason, TimeoutBehavior,
};

use crate::waiting::{single, suspend, suspended};
use crate::work::{claim, claim_one, complete, create, fail, operate, setup, text};

async fn created(engine: &Engine, create: Create) -> ExecutionId {
    let created = engine.create(create).await;
    created.expect("asked").expect("created").id()
}

async fn verbs(engine: &Engine, id: ExecutionId) -> Vec<String> {
    let operations = engine.operations(id).await.expect("asked");
    assert!(operations.iter().all(|o| o.actor == "alice"));
    operations.into_iter().map(|o| o.verb).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_execution_is_replayed_as_a_new_attempt() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.retry_policy.max_retries = 0;
    request.policy.max_replay_count.0 = 2;
    let id = created(&engine, request).await;
    let first = claim_one(&engine).await;
    let answer = engine
        .fail(fail(first.fence, FailureClass::Permanent))
        .await;
    answer.expect("asked").expect("failed");

    let replayed = engine.replay(operate(id)).await;
    assert_eq!(replayed.expect("asked").expect("replayed").replays, 1);
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(info.public_state, PublicState::Waiting);
    assert_eq!((info.retries, info.replays, info.failure), (0, 1, None));
    let mut bobs = operate(id);
    bobs.by.actor = "bob".to_owned();
    let refused = engine.replay(bobs).await.expect("asked");
    assert_eq!(
        refused.expect_err("it is not finished").code(),
        "execution_not_terminal"
    );

    let second = claim_one(&engine).await;
    assert_eq!(second.attempt_type, AttemptType::Replay);
    assert_eq!(second.fence.attempt, 1);
    assert!(second.fence.epoch > first.fence.epoch + 1, "the epoch grew");
    let late = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(
        late.expect("asked").expect_err("not its lease").code(),
        "stale_lease"
    );
    let answer = engine.complete(complete(second.fence, "well")).await;
    answer.expect("asked").expect("completed");
    let result = engine.result(id, None).await.expect("asked");
    assert_eq!(result, Some(text("well")));
    let attempts = engine.attempts(id).await.expect("asked");
    assert_eq!(attempts.len(), 2, "the first attempt is still told of");
    assert!(attempts[0].leases[0].failure.is_some());

    engine
        .replay(operate(id))
        .await
        .expect("asked")
        .expect("allowed");
    let third = claim_one(&engine).await;
    let answer = engine.complete(complete(third.fence, "again")).await;
    answer.expect("asked").expect("completed");
    let refused = engine.replay(operate(id)).await.expect("asked");
    assert_eq!(
        refused.expect_err("twice is all").code(),
        "max_replays_exhausted"
    );
    assert_eq!(verbs(&engine, id).await, ["replay", "replay"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_relative_to_the_creation_counts_from_the_replay() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.timeout_policy.execution_deadline_ms = Some(60_000);
    let id = created(&engine, request).await;
    let answer = engine
        .complete(complete(claim_one(&engine).await.fence, "a"))
        .await;
    answer.expect("asked").expect("completed");
    database.advance(Duration::from_secs(50)).await;
    engine
        .replay(operate(id))
        .await
        .expect("asked")
        .expect("replayed");
    database.advance(Duration::from_secs(50)).await;
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(info.public_state, PublicState::Waiting);
    database.advance(Duration::from_secs(11)).await;
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(info.public_state, PublicState::Expired);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_was_held_back_returns_to_its_place() {
    let (database, engine) = setup().await;
    let held = created(&engine, create("first")).await;
    created(&engine, create("second")).await;
    let hold = |reason| Block {
        operate: operate(held),
        reason,
        detail: None,
    };
    for _ in 0..2 {
        let answer = engine.block(hold(BlockingReason::PausedByOperator)).await;
        answer
            .expect("asked")
            .expect("held; a repeat changes nothing");
    }
    let info = engine.get(held, None).await.expect("asked").expect("known");
    assert_eq!(info.blocking_reason, BlockingReason::PausedByOperator);
    assert_eq!(info.blocking_detail.as_deref(), Some("a test"));
    let other = claim_one(&engine).await;
    assert_eq!(other.input, text("second"));
    assert!(claim(&engine, 5).await.is_empty(), "the first is held");

    let refused = engine
        .unblock(operate(held), Some(BlockingReason::PausedByPolicy))
        .await;
    assert_eq!(
        refused.expect("asked").expect_err("another reason").code(),
        "execution_not_eligible"
    );
    created(&engine, create("third")).await;
    let answer = engine
        .unblock(operate(held), Some(BlockingReason::PausedByOperator))
        .await;
    answer.expect("asked").expect("let go");
    assert_eq!(claim_one(&engine).await.input, text("first"));
    let wrong = engine.block(hold(BlockingReason::WaitingForDelay)).await;
    assert_eq!(
        wrong.expect("asked").expect_err("no such block").code(),
        "invalid_input"
    );
    assert_eq!(verbs(&engine, held).await, ["block", "unblock"]);
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
    let was = engine.prioritise(operate(urgent), 10).await;
    assert_eq!(was.expect("asked"), Ok(0));
    let was = engine.prioritise(operate(delayed), 9000).await;
    assert_eq!(was.expect("asked"), Ok(0));
    let wrong = engine.prioritise(operate(urgent), 9001).await;
    assert!(wrong.expect("asked").is_err());
    let info = engine
        .get(urgent, None)
        .await
        .expect("asked")
        .expect("known");
    assert_eq!(info.priority, 10);
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let order: Vec<_> = claim(&engine, 5)
        .await
        .into_iter()
        .map(|c| c.input)
        .collect();
    assert_eq!(order, [text("delayed"), text("urgent"), text("plain")]);
    let operations = engine.operations(urgent).await.expect("asked");
    assert_eq!(operations[0].detail.as_deref(), Some("0 → 10"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_lease_is_refused_by_name_and_the_work_goes_on_elsewhere() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let mut lost = engine.lost_leases();
    let first = claim_one(&engine).await;
    let revoke = |lease| Revoke {
        operate: operate(id),
        expected_lease_id: lease,
    };
    let stranger = Some(LeaseId(uuid::Uuid::nil()));
    let refused = engine.revoke(revoke(stranger)).await.expect("asked");
    assert_eq!(refused.expect_err("not that one").code(), "stale_lease");
    let lease = Some(first.fence.lease_id);
    let revoked = engine.revoke(revoke(lease)).await.expect("asked");
    let revoked = revoked.expect("revoked");
    assert_eq!((revoked.epoch, revoked.already), (first.fence.epoch, None));
    assert_eq!(lost.recv().await, Ok(id), "the holder is told");
    let again = engine.revoke(revoke(lease)).await.expect("asked");
    let again = again.expect("a repeat succeeds");
    assert_eq!(
        (again.lease_id, again.already),
        (first.fence.lease_id, Some(AlreadySatisfied::AlreadyRevoked))
    );

    let late = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(
        late.expect("asked").expect_err("revoked").code(),
        "lease_revoked"
    );
    let renewed = engine.renew(&[first.fence], 30_000).await.expect("asked");
    assert!(renewed[0].is_err());
    let second = claim_one(&engine).await;
    assert_eq!(second.attempt_type, AttemptType::Reclaim);
    let answer = engine.complete(complete(second.fence, "well")).await;
    answer.expect("asked").expect("completed");
    let none = engine.revoke(revoke(None)).await.expect("asked");
    assert_eq!(none.expect_err("nothing runs").code(), "no_active_lease");
    assert_eq!(verbs(&engine, id).await, ["revoke"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_completes_fails_and_delays_in_the_holders_place() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let idle = engine.complete_override(operate(id), text("early")).await;
    assert_eq!(
        idle.expect("asked").expect_err("it does not run").code(),
        "execution_not_active"
    );
    let holder = claim_one(&engine).await;
    let due = engine.delay_override(operate(id), 60_000).await;
    assert!(due.expect("asked").expect("put down").is_some());
    let late = engine.complete(complete(holder.fence, "late")).await;
    assert_eq!(
        late.expect("asked").expect_err("put down").code(),
        "execution_not_active"
    );
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let holder = claim_one(&engine).await;
    assert!(holder.resumes, "the same attempt goes on");
    let failure = Failure::new(FailureClass::Transient, "by_hand", "told to");
    let due = engine.fail_override(operate(id), failure).await;
    assert!(due.expect("asked").expect("failed").is_some(), "retried");
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let holder = claim_one(&engine).await;
    let answer = engine.complete_override(operate(id), text("by hand")).await;
    answer.expect("asked").expect("completed");
    let late = engine.complete(complete(holder.fence, "late")).await;
    assert_eq!(
        late.expect("asked").expect_err("ended").code(),
        "execution_not_active"
    );
    let result = engine.result(id, None).await.expect("asked");
    assert_eq!(result, Some(text("by hand")));
    assert_eq!(verbs(&engine, id).await, ["delay", "fail", "complete"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_set_and_removed_in_any_state() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let tags = |pairs: &[(&str, Option<&str>)]| -> BTreeMap<String, Option<String>> {
        let owned = pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.map(str::to_owned)));
        owned.collect()
    };
    let set = engine.tag(
        operate(id),
        tags(&[("app.a", Some("1")), ("app.b", Some("2"))]),
    );
    set.await.expect("asked").expect("set");
    let claimed = claim_one(&engine).await;
    assert_eq!(claimed.tags.len(), 2, "a worker sees them");
    let answer = engine.complete(complete(claimed.fence, "done")).await;
    answer.expect("asked").expect("completed");
    let set = engine.tag(operate(id), tags(&[("app.a", None), ("app.b", Some("3"))]));
    set.await.expect("asked").expect("set");
    let filter = ListFilter {
        tag: Some(("app.b".to_owned(), "3".to_owned())),
        ..Default::default()
    };
    let found = engine
        .list(filter, ListPage::default())
        .await
        .expect("asked");
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].tags,
        BTreeMap::from([("app.b".to_owned(), "3".to_owned())])
    );

    let wrong = engine.tag(operate(id), tags(&[("App", Some("1"))])).await;
    assert_eq!(
        wrong.expect("asked").expect_err("no label").code(),
        "invalid_input"
    );
    let many: BTreeMap<_, _> = (0..Limits::TAGS_MAX)
        .map(|n| (format!("many.n{n}"), Some("x".to_owned())))
        .collect();
    let wrong = engine.tag(operate(id), many).await;
    assert_eq!(
        wrong.expect("asked").expect_err("too many").code(),
        "invalid_input"
    );
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(info.tags.len(), 1, "a refused change changes nothing");
    assert_eq!(verbs(&engine, id).await, ["tag", "tag"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_of_another_namespace_find_nothing() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let elsewhere = || engine::Operate {
        namespace: Some("elsewhere".to_owned()),
        ..operate(id)
    };
    let block = Block {
        operate: elsewhere(),
        reason: BlockingReason::PausedByOperator,
        detail: None,
    };
    let revoke = Revoke {
        operate: elsewhere(),
        expected_lease_id: None,
    };
    let codes = [
        engine.replay(elsewhere()).await.expect("asked").err(),
        engine.expire(elsewhere()).await.expect("asked").err(),
        engine
            .prioritise(elsewhere(), 1)
            .await
            .expect("asked")
            .err(),
        engine
            .unblock(elsewhere(), None)
            .await
            .expect("asked")
            .err(),
        engine.block(block).await.expect("asked").err(),
        engine.revoke(revoke).await.expect("asked").err(),
    ];
    for code in codes {
        assert_eq!(code.expect("refused").code(), "execution_not_found");
    }
    assert!(verbs(&engine, id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_run_returns_to_its_place_when_a_capable_worker_appears() {
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
    engine.block(block).await.expect("asked").expect("blocked");
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(
        info.state_vector.eligibility_state,
        model::EligibilityState::BlockedByRoute
    );
    let register = |instance: &str, lanes: &[&str], capabilities: &[&str]| engine::RegisterWorker {
        worker_instance_id: instance.to_owned(),
        worker_id: instance.to_owned(),
        worker_type: model::WorkerType::Native,
        namespace: None,
        lanes: lanes.iter().map(ToString::to_string).collect(),
        kinds: ["echo".to_owned()].into(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        host: None,
        version: None,
        liveness_ttl_ms: 30_000,
    };
    // Each has what is missing in the other: together they are nobody.
    for worker in [
        register("gpu", &[], &["gpu"]),
        register("large", &[], &["large"]),
        register("elsewhere", &["other"], &["gpu", "large"]),
    ] {
        let registered = engine.register_worker(worker).await;
        registered.expect("asked").expect("registered");
    }
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(
        info.blocking_reason,
        BlockingReason::WaitingForCapableWorker
    );
    let both = register("both", &["default"], &["gpu", "large", "fast"]);
    let registered = engine.register_worker(both).await;
    registered.expect("asked").expect("registered");
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.expect("asked").expect("known");
    assert_eq!(info.blocking_reason, BlockingReason::WaitingForWorker);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_executions_are_listed_from_the_one_that_has_waited_longest() {
    let (_database, engine) = setup().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(created(&engine, create("x")).await);
        let wish = engine::Suspend {
            reason: SuspensionReason::WaitingForApproval,
            ..suspend(claim_one(&engine).await.fence, single("door", "open"))
        };
        suspended(&engine, wish).await;
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = engine.list_suspended(Some("default"), after, 2).await;
        let page = page.expect("asked");
        let Some(last) = page.last() else { break };
        assert_eq!(last.blocking_reason, BlockingReason::WaitingForApproval);
        after = Some((last.suspended_at, last.execution_id));
        listed.extend(page.into_iter().map(|one| one.execution_id));
    }
    assert_eq!(listed, ids);
    let elsewhere = engine.list_suspended(Some("elsewhere"), None, 2).await;
    assert!(elsewhere.expect("asked").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_a_lease_that_lapsed_says_that_it_had_expired() {
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
        let answer = answer.expect("asked").expect("there is nothing left to do");
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
    answer.expect("asked").expect("completed");
    let none = engine.revoke(revoke(Some(second.fence.lease_id))).await;
    let refused = none.expect("asked").expect_err("it ended by itself");
    assert_eq!(refused.code(), "no_active_lease");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_priority_outlives_the_end_and_the_replay() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let answer = engine.prioritise(operate(id), 9000).await;
    assert_eq!(answer.expect("asked").expect("changed"), 0);
    let first = claim_one(&engine).await;
    let answer = engine.complete(complete(first.fence, "well")).await;
    answer.expect("asked").expect("completed");
    let priority = async || {
        let info = engine.get(id, None).await.expect("asked");
        info.expect("known").priority
    };
    assert_eq!(priority().await, 9000, "when it has ended");
    let mut urgent = create("urgent");
    urgent.priority = 8999;
    created(&engine, urgent).await;
    let answer = engine.replay(operate(id)).await;
    answer.expect("asked").expect("replayed");
    assert_eq!(priority().await, 9000, "when it is replayed");
    let next = claim_one(&engine).await;
    assert_eq!(next.fence.execution_id, id, "and it is served so");
    assert_eq!(priority().await, 9000, "while it runs");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_before_a_replay_do_not_count_against_the_life_after_it() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.max_signals_per_execution.0 = 2;
    let id = created(&engine, request).await;
    for life in 0..3 {
        let fence = claim_one(&engine).await.fence;
        let door = crate::waiting::waitpoint(&engine, fence, "door").await;
        for number in 0..2 {
            let signal = crate::waiting::signal(&door.token, "knock");
            let answer = crate::waiting::try_deliver(&engine, signal).await;
            answer.unwrap_or_else(|refusal| panic!("life {life}, signal {number}: {refusal}"));
        }
        let signal = crate::waiting::signal(&door.token, "knock");
        let refused = crate::waiting::try_deliver(&engine, signal).await;
        assert_eq!(
            refused.expect_err("two are all").code(),
            "signal_limit_exceeded"
        );
        let answer = engine.complete(complete(fence, "well")).await;
        answer.expect("asked").expect("completed");
        let answer = engine.replay(operate(id)).await;
        answer.expect("asked").expect("replayed");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_time_limit_ends_is_of_class_timeout_and_what_somebody_ends_cancelled() {
    let (database, engine) = setup().await;
    let class = async |id| {
        let info = engine.get(id, None).await.expect("asked").expect("known");
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
            lanes: vec!["other".to_owned()],
            kinds: None,
            capabilities: Default::default(),
            max: 1,
            lease_ttl_ms: 30_000,
        });
        let fence = held.await.expect("asked").remove(0).fence;
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
        .expire(operate(expired))
        .await
        .expect("asked")
        .expect("expired");
    assert_eq!(class(expired).await.2, FailureClass::Timeout);
    let attempts = engine.attempts(expired).await.expect("asked");
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
    engine
        .cancel(cancel)
        .await
        .expect("asked")
        .expect("cancelled");
    assert_eq!(class(cancelled).await.2, FailureClass::Cancelled);
    database.assert_invariants().await;
}
