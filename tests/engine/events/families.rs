//! What each verb writes to the log, in the words of every family.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Cancel, MarkDead, RegisterWorker, Revoke, Suspended};
use model::{
    BlockingReason, CancelSource, EventFamily, EventStart, ExecutionId, FailureClass, LeaseEnd,
    RevokedBy, WorkerType,
};
use testkit::{Answered, Database};

use crate::support::lists::events;
use crate::support::waiting::{
    deliver, from, signal, single, sources, suspend, suspended, try_suspend, waitpoint,
};
use crate::support::work::{claim_one, complete, completed, create, created, fail, operate, setup};

/// How the last lease of an execution ended, by the history of leases.
async fn end_of_lease(
    engine: &engine::Engine,
    id: ExecutionId,
) -> (String, Option<String>, Option<RevokedBy>) {
    let mut request = events::of(EventFamily::LeaseHistory);
    request.filter.execution_id = Some(id);
    let last = events::all(engine, &request).await.pop().expect("an event");
    assert_eq!(
        last.logged.worker_instance_id.as_deref(),
        Some("test"),
        "the owner before"
    );
    assert!(last.logged.lease_id.is_some(), "the lease is named");
    let detail = last.fact.detail();
    (
        last.fact.name().to_owned(),
        detail.reason,
        detail.revoked_by,
    )
}

async fn pass(database: &Database, engine: &engine::Engine, seconds: u64) {
    database.advance(Duration::from_secs(seconds)).await;
    engine.reconcile().await.expect("swept");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_a_lease_is_in_its_history_with_lease_and_owner() {
    let (database, engine) = setup().await;
    let released = |how: &str| ("released".to_owned(), Some(how.to_owned()), None);
    let expired = |end: LeaseEnd| ("expired".to_owned(), Some(end.to_string()), None);
    let revoked = |by: RevokedBy| ("revoked".to_owned(), None, Some(by));

    let id = created(&engine, create("completed")).await;
    completed(&engine, claim_one(&engine).await.fence).await;
    assert_eq!(end_of_lease(&engine, id).await, released("success"));

    let id = created(&engine, create("retried")).await;
    let fence = claim_one(&engine).await.fence;
    engine
        .fail(fail(fence, FailureClass::Transient))
        .await
        .accepted();
    assert_eq!(end_of_lease(&engine, id).await, released("retry_scheduled"));
    cancel(&engine, id).await;

    let id = created(&engine, create("suspended")).await;
    let fence = claim_one(&engine).await.fence;
    let door = waitpoint(&engine, fence, "door").await;
    suspended(&engine, suspend(fence, sources("door", 2))).await;
    assert_eq!(end_of_lease(&engine, id).await, released("suspended"));
    drop(door);
    cancel(&engine, id).await;
    assert_eq!(
        end_of_lease(&engine, id).await,
        released("suspended"),
        "no lease was held"
    );

    // The second loss is the last one that the policy allows.
    let mut poison = create("expires");
    poison.policy.timeout_policy.max_reclaim_count = 1;
    let id = created(&engine, poison.clone()).await;
    for _ in 0..2 {
        claim_one(&engine).await;
        pass(&database, &engine, 31).await;
        assert_eq!(end_of_lease(&engine, id).await, expired(LeaseEnd::Expired));
    }
    assert_eq!(
        events::names(&engine, EventFamily::LeaseHistory, id).await,
        ["acquired", "expired", "reclaimed", "expired"]
    );
    assert_eq!(
        events::names(&engine, EventFamily::Completion, id).await,
        ["failure"]
    );

    let id = created(&engine, poison).await;
    for _ in 0..2 {
        let held = claim_one(&engine).await.fence;
        let revoke = Revoke {
            operate: operate(id),
            expected_lease_id: Some(held.lease_id),
        };
        engine.revoke(revoke).await.accepted();
        assert_eq!(
            end_of_lease(&engine, id).await,
            revoked(RevokedBy::Operator)
        );
    }
    assert_eq!(
        events::names(&engine, EventFamily::Completion, id).await,
        ["failure"]
    );

    let mut slow = create("runs too long");
    slow.policy.timeout_policy.attempt_timeout_ms = Some(5_000);
    slow.policy.retry_policy.max_retries = 1;
    let id = created(&engine, slow).await;
    for ends in ["retry_scheduled", "expired"] {
        claim_one(&engine).await;
        pass(&database, &engine, 6).await;
        assert_eq!(
            end_of_lease(&engine, id).await,
            expired(LeaseEnd::AttemptTimeout)
        );
        let told = events::names(&engine, EventFamily::Lifecycle, id).await;
        assert!(told.contains(&ends.to_owned()), "{told:?}");
        pass(&database, &engine, 600).await;
    }

    let id = created(&engine, create("cancelled")).await;
    claim_one(&engine).await;
    cancel(&engine, id).await;
    assert_eq!(
        end_of_lease(&engine, id).await,
        revoked(RevokedBy::Operator)
    );
    assert_eq!(
        events::names(&engine, EventFamily::Completion, id).await,
        ["cancelled"]
    );

    let mut late = create("past its deadline");
    late.policy.timeout_policy.execution_deadline_ms = Some(5_000);
    let id = created(&engine, late).await;
    claim_one(&engine).await;
    pass(&database, &engine, 6).await;
    assert_eq!(
        end_of_lease(&engine, id).await,
        revoked(RevokedBy::Reconciler)
    );
    assert_eq!(
        events::names(&engine, EventFamily::Completion, id).await,
        ["expired"]
    );

    let id = created(&engine, create("completed by an operator")).await;
    let fence = claim_one(&engine).await.fence;
    let result = complete(fence, "").result;
    engine
        .complete_override(operate(id), result)
        .await
        .accepted();
    assert_eq!(
        end_of_lease(&engine, id).await,
        revoked(RevokedBy::Operator)
    );
    database.assert_invariants().await;
}

async fn cancel(engine: &engine::Engine, id: ExecutionId) {
    let cancel = Cancel {
        id,
        namespace: None,
        reason: None,
        source: CancelSource::OperatorOverride,
        actor: None,
    };
    engine.cancel(cancel).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_told_one_by_one_also_those_of_a_creation() {
    let (_database, engine) = setup().await;
    let mut create = create("x");
    create.tags = [("test.team", "a=b"), ("test.tier", "1")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let id = created(&engine, create).await;
    let change: BTreeMap<String, Option<String>> = [
        ("test.team".to_owned(), Some("c".to_owned())),
        ("test.tier".to_owned(), None),
    ]
    .into();
    engine.tag(operate(id), change).await.accepted();
    let told = events::all(&engine, &events::of(EventFamily::InstanceTags)).await;
    let told: Vec<_> = told
        .iter()
        .map(|event| {
            let detail = event.fact.detail();
            let name = event.fact.name().to_owned();
            (name, detail.tag.unwrap_or_default(), detail.value)
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(name, key, value)| (name.as_str(), key.as_str(), value.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("attached", "test.team", Some("a=b")),
            ("attached", "test.tier", Some("1")),
            ("attached", "test.team", Some("c")),
            ("cleared", "test.tier", None),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_told_with_source_and_effect_and_repeats_as_well() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let fence = claim_one(&engine).await.fence;
    let door = waitpoint(&engine, fence, "door").await;
    let mut early = from(signal(&door.token, "early"), "bell tower");
    early.idempotency_key = Some("once".to_owned());
    let first = deliver(&engine, early.clone()).await;
    assert!(deliver(&engine, early.clone()).await.duplicate);
    suspended(&engine, suspend(fence, single("door", "open"))).await;
    deliver(&engine, signal(&door.token, "open")).await;
    let told = events::all(&engine, &events::of(EventFamily::SignalDelivery)).await;
    let names: Vec<_> = told.iter().map(|event| event.fact.name()).collect();
    assert_eq!(names, ["buffered", "deduped", "satisfied"]);
    for event in &told {
        assert_eq!(event.logged.execution_id, Some(id));
        assert_eq!(event.fact.detail().waitpoint_id, Some(first.waitpoint_id));
    }
    for event in &told[..2] {
        let detail = event.fact.detail();
        assert_eq!(
            detail.signal_id,
            Some(first.signal_id),
            "the first delivery"
        );
        assert_eq!(detail.source_identity.as_deref(), Some("bell tower"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_signal_that_satisfies_at_once_is_told_again_and_no_state_changes() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let fence = claim_one(&engine).await.fence;
    let door = waitpoint(&engine, fence, "door").await;
    deliver(&engine, from(signal(&door.token, "other"), "cellar")).await;
    let early = deliver(
        &engine,
        from(signal(&door.token, "open"), "the satisfied one"),
    )
    .await;
    let before = events::names(&engine, EventFamily::Lifecycle, id).await;
    let answer = try_suspend(&engine, suspend(fence, single("door", "open"))).await;
    assert!(matches!(answer, Ok(Suspended::AlreadySatisfied(_))));
    let told = events::all(&engine, &events::of(EventFamily::SignalDelivery)).await;
    let names: Vec<_> = told.iter().map(|event| event.fact.name()).collect();
    assert_eq!(names, ["buffered", "buffered", "satisfied"]);
    let last = told.last().expect("one");
    let detail = last.fact.detail();
    assert_eq!(detail.signal_id, Some(early.signal_id));
    assert_eq!(detail.waitpoint_id, Some(early.waitpoint_id));
    assert_eq!(detail.source_identity.as_deref(), Some("the satisfied one"));
    assert_eq!(last.logged.execution_kind.as_deref(), Some("echo"));
    let after = events::names(&engine, EventFamily::Lifecycle, id).await;
    assert_eq!(after, before);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_is_told() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    engine.prioritize(operate(id), 7).await.accepted();
    let block = engine::Block {
        operate: operate(id),
        reason: BlockingReason::PausedByOperator,
        detail: None,
    };
    engine.block(block).await.accepted();
    engine.unblock(operate(id), None).await.accepted();
    cancel(&engine, id).await;
    engine.replay(operate(id)).await.accepted();
    let told = events::all(&engine, &events::of(EventFamily::Operator)).await;
    let told: Vec<_> = told
        .iter()
        .map(|event| (event.fact.name().to_owned(), event.fact.detail()))
        .collect();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["priority_changed", "blocked", "unblocked", "replayed"]
    );
    assert_eq!(
        (told[0].1.priority_before, told[0].1.priority),
        (Some(0), Some(7))
    );
    assert_eq!(told[1].1.reason.as_deref(), Some("paused_by_operator"));
    assert_eq!(told[3].1.reason.as_deref(), Some("cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_told_when_they_come_and_go_and_not_by_heartbeats() {
    let (database, engine) = setup().await;
    let worker = |instance: &str, namespace: Option<&str>| RegisterWorker {
        worker_instance_id: instance.to_owned(),
        worker_id: "w".to_owned(),
        worker_type: WorkerType::Native,
        namespace: namespace.map(str::to_owned),
        keeps_namespace: false,
        lanes: Default::default(),
        kinds: Default::default(),
        capabilities: Default::default(),
        host: None,
        version: None,
        liveness_ttl_ms: 5_000,
    };
    for (instance, namespace) in [("a", None), ("b", Some("blue")), ("c", None)] {
        engine
            .register_worker(worker(instance, namespace))
            .await
            .accepted();
        engine
            .register_worker(worker(instance, namespace))
            .await
            .accepted();
    }
    engine.retire_worker("a", None).await.accepted();
    let dead = MarkDead {
        worker_instance_id: "b".to_owned(),
        namespace: None,
        reason: "smoke".to_owned(),
        revoke_leases: false,
    };
    engine.mark_worker_dead(dead.clone()).await.accepted();
    engine.mark_worker_dead(dead).await.accepted();
    pass(&database, &engine, 6).await;
    let mut request = events::of(EventFamily::Registry);
    let told = events::all(&engine, &request).await;
    let told: Vec<_> = told
        .iter()
        .map(|event| {
            (
                event.fact.name(),
                event.logged.worker_instance_id.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("registered", Some("a")),
            ("registered", Some("b")),
            ("registered", Some("c")),
            ("retired", Some("a")),
            ("marked_dead", Some("b")),
            ("timed_out", Some("c")),
        ]
    );
    request.filter.namespace = Some("blue".to_owned());
    let of_blue = events::all(&engine, &request).await;
    assert_eq!(of_blue.len(), 2, "those of its own namespace");
    request.filter.namespace = None;
    request.filter.kind = Some("echo".to_owned());
    let page = engine
        .events(&request, &EventStart::Beginning)
        .await
        .accepted();
    assert_eq!(page.events, [], "a worker is of no kind of execution");
}
