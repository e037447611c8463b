//! One execution from its creation to its end, on a real database.

use std::time::Duration;

use engine::{Cancel, Claim, Create, Created, Delay};
use model::{
    AttemptEnd, AttemptType, BlockingReason, CreateRefusal, EventFamily, EventKind, PublicState,
};
use testkit::Answered;

use crate::support::lists::{self, events};
use crate::support::work::{claim, claim_one, complete, create, operate, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_created_claimed_and_completed() {
    let (database, engine) = setup().await;
    let created = engine.create(create("hello")).await.accepted();
    let id = created.id();
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Waiting);
    assert_eq!(info.blocking_reason, BlockingReason::WaitingForWorker);

    let claimed = claim_one(&engine).await;
    assert_eq!(claimed.fence.execution_id, id);
    assert_eq!((claimed.fence.epoch, claimed.fence.attempt), (1, 0));
    assert_eq!(claimed.attempt_type, AttemptType::Initial);
    assert_eq!(claimed.input, text("hello"));
    assert!(
        claim(&engine, 10).await.is_empty(),
        "nothing is claimed twice"
    );
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Active);
    assert_eq!(info.attempts, 1, "the attempt is charged before it runs");

    engine
        .complete(complete(claimed.fence, "world"))
        .await
        .accepted();
    engine
        .complete(complete(claimed.fence, "world"))
        .await
        .accepted();
    let refused = engine.complete(complete(claimed.fence, "other")).await;
    assert_eq!(refused.refused().code(), "execution_not_active");

    let result = engine.result(id, None).await.answered();
    assert_eq!(result, Some(text("world")));
    let attempts = lists::attempts(&engine, id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].leases[0].ended, Some(AttemptEnd::Success));
    database.events_are_readable().await;
    assert_eq!(
        events::kinds(&engine, EventFamily::Lifecycle).await,
        [EventKind::Created, EventKind::Acquired, EventKind::Success]
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_makes_a_creation_safe_to_repeat() {
    let (database, engine) = setup().await;
    let keyed = |data: &str| Create {
        idempotency_key: Some("order-1".to_owned()),
        ..create(data)
    };
    let first = engine.create(keyed("a")).await.accepted();
    let again = engine.create(keyed("a")).await.accepted();
    assert_eq!(again, Created::Duplicate { id: first.id() });
    let refused = engine.create(keyed("b")).await.answered();
    assert_eq!(
        refused,
        Err(CreateRefusal::IdempotencyConflict {
            existing: first.id()
        })
    );
    let elsewhere = Create {
        namespace: "other".to_owned(),
        ..keyed("b")
    };
    // Keys are per namespace.
    let other = engine.create(elsewhere).await.accepted();
    assert_ne!(other.id(), first.id());

    let racing = engine
        .create_batch(
            (0..100)
                .map(|_| Create {
                    idempotency_key: Some("order-2".to_owned()),
                    ..create("x")
                })
                .collect(),
        )
        .await;
    let answers: Vec<_> = racing.into_iter().map(|a| a.accepted()).collect();
    let made = answers
        .iter()
        .filter(|a| matches!(a, Created::Created { .. }))
        .count();
    assert_eq!(made, 1, "one of a hundred racing requests creates");
    assert!(answers.iter().all(|a| a.id() == answers[0].id()));

    database.advance(Duration::from_secs(25 * 3600)).await;
    let late = engine.create(keyed("b")).await.accepted();
    assert!(matches!(late, Created::Created { .. }));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_priority_is_served_first_and_equals_in_order() {
    let (_database, engine) = setup().await;
    for (data, priority) in [("low", 0), ("high", 9000), ("low too", 0), ("middle", 10)] {
        let created = engine
            .create(Create {
                priority,
                ..create(data)
            })
            .await;
        created.accepted();
    }
    let order: Vec<_> = claim(&engine, 10)
        .await
        .into_iter()
        .map(|c| String::from_utf8(c.input.data).expect("text"))
        .collect();
    assert_eq!(order, ["high", "middle", "low", "low too"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_takes_only_what_the_worker_can_run() {
    let (_database, engine) = setup().await;
    let mut needs_gpu = create("gpu");
    needs_gpu
        .policy
        .routing_requirements
        .required_capabilities
        .insert("gpu".to_owned());
    engine.create(needs_gpu).await.accepted();
    engine
        .create(Create::new("other", text("other")))
        .await
        .accepted();
    let ask = |kinds: &[&str], capabilities: &[&str]| Claim {
        worker_instance_id: "test".to_owned(),
        namespaces: None,
        lanes: vec!["default".to_owned()],
        kinds: Some(kinds.iter().map(ToString::to_string).collect()),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        max: 10,
        lease_ttl_ms: 30_000,
    };
    assert!(
        engine
            .claim(ask(&["echo"], &[]))
            .await
            .answered()
            .is_empty()
    );
    let other = engine.claim(ask(&["other"], &[])).await.answered();
    assert_eq!(other.len(), 1);
    let gpu = engine
        .claim(ask(&["echo"], &["gpu", "large"]))
        .await
        .answered();
    assert_eq!(gpu.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_execution_resumes_as_the_same_attempt() {
    let (database, engine) = setup().await;
    engine.create(create("x")).await.accepted();
    let first = claim_one(&engine).await;
    let delay = Delay {
        fence: first.fence,
        due: engine::Due::InMs(60_000),
        report: Default::default(),
    };
    engine.delay(delay).await.accepted();
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let second = claim_one(&engine).await;
    assert!(second.resumes);
    assert_eq!((second.fence.attempt, second.fence.epoch), (0, 2));
    engine
        .complete(complete(second.fence, "done"))
        .await
        .accepted();
    let attempts = lists::attempts(&engine, second.fence.execution_id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].leases.len(), 2);
    database.assert_invariants().await;
}

/// A time is compared with the clock as it is: the delay of a request that is repeated
/// a minute later is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_delay_until_a_time_is_due_then_and_a_repeat_is_answered_as_the_first() {
    let (database, engine) = setup().await;
    let id = engine.create(create("x")).await.accepted().id();
    let held = claim_one(&engine).await;
    let at = |text: &str| engine::Due::At(text.parse().expect("a time"));
    let delay = |due| Delay {
        fence: held.fence,
        due,
        report: Default::default(),
    };
    let until = at("2999-01-01T00:00:00.123456789+01:00");
    let due = engine.delay(delay(until)).await.accepted();
    assert_eq!(due.to_string(), "2998-12-31 23:00:00.123456 +00:00:00");
    assert_eq!(engine.delay(delay(until)).await.accepted(), due);
    for other in [at("2999-01-01T00:00:00Z"), engine::Due::InMs(60_000)] {
        let refused = engine.delay(delay(other)).await;
        assert_eq!(refused.refused().code(), "execution_not_active");
    }
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.wake_at, Some(due));

    // One that has passed is due immediately, for an operator too.
    engine.create(create("y")).await.accepted();
    let held = claim_one(&engine).await;
    let past = at("1999-01-01T00:00:00Z");
    for _ in 0..2 {
        let due = engine.delay_override(operate(held.fence.execution_id), past);
        assert_eq!(due.await.accepted().map(|at| at.year()), Some(1999));
    }
    engine.reconcile().await.expect("swept");
    let again = claim_one(&engine).await;
    assert_eq!((again.resumes, again.fence.attempt), (true, 0));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_an_execution_in_any_state() {
    let (database, engine) = setup().await;
    let mut ids = Vec::new();
    let late = "2999-01-01T00:00:00Z".parse().expect("a time");
    for delay_until in [None, None, Some(late)] {
        let mut create = Create {
            delay_until,
            ..create("x")
        };
        create.policy.timeout_policy.execution_deadline_ms = Some(10_000);
        ids.push(engine.create(create).await.accepted().id());
    }
    let running = claim_one(&engine).await;
    engine.reconcile().await.expect("swept");
    database.assert_invariants().await;
    database.advance(Duration::from_secs(11)).await;
    engine.reconcile().await.expect("swept");
    for id in ids {
        let info = engine.get(id, None).await.answered().expect("known");
        assert_eq!(info.public_state, PublicState::Expired);
    }
    let refused = engine.complete(complete(running.fence, "late")).await;
    assert_eq!(refused.refused().code(), "execution_not_active");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_ends_an_execution_in_any_state_once() {
    let (database, engine) = setup().await;
    let mut lost = engine.lost_leases();
    let running = engine.create(create("x")).await.accepted().id();
    let held = claim_one(&engine).await;
    let waiting = engine.create(create("x")).await.accepted().id();
    let delayed = Create {
        delay_ms: Some(60_000),
        ..create("x")
    };
    let delayed = engine.create(delayed).await.accepted().id();
    let cancel = |id| Cancel {
        id,
        namespace: None,
        reason: Some("no longer needed".to_owned()),
        source: Default::default(),
        actor: None,
    };
    for (id, was_active) in [(running, true), (waiting, false), (delayed, false)] {
        let answer = engine.cancel(cancel(id)).await.accepted();
        assert_eq!((answer.was_active, answer.already), (was_active, false));
        let again = engine.cancel(cancel(id)).await.accepted();
        assert!(again.already);
    }
    assert_eq!(
        lost.recv().await,
        Ok(running),
        "the host that runs it is told"
    );
    let refused = engine.complete(complete(held.fence, "late")).await;
    assert_eq!(refused.refused().code(), "execution_not_active");
    let hidden = Cancel {
        namespace: Some("other".to_owned()),
        ..cancel(waiting)
    };
    let refused = engine.cancel(hidden).await;
    assert_eq!(refused.refused().code(), "execution_not_found");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_by_name() {
    let (_database, engine) = setup().await;
    let refusal = |create: Create| async { engine.create(create).await.refused().to_string() };
    assert!(
        refusal(Create::new("unknown", text("x")))
            .await
            .contains("nothing handles kind `unknown`")
    );
    assert!(
        refusal(Create {
            priority: 9001,
            ..create("x")
        })
        .await
        .starts_with("priority:")
    );
    assert!(
        refusal(Create {
            lane: "\u{7f}".into(),
            ..create("x")
        })
        .await
        .starts_with("lane:")
    );
    let big = "x".repeat((1 << 20) + 1);
    assert_eq!(
        refusal(create(&big)).await,
        "input: 1048577 bytes exceed the limit of 1048576"
    );
    let nul = Create {
        creator: Some("a\0".into()),
        ..create("x")
    };
    assert!(refusal(nul).await.contains("U+0000"));
    let exact = "x".repeat(1 << 20);
    // The limit itself is allowed.
    engine.create(create(&exact)).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_pages_from_the_newest_and_filters() {
    let (_database, engine) = setup().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let mut create = create("x");
        if n % 2 == 0 {
            create.tags.insert("app.even".into(), "yes".into());
        }
        ids.push(engine.create(create).await.accepted().id());
    }
    claim(&engine, 2).await;
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let mut seen = Vec::new();
    let mut page = engine::ListPage {
        after: None,
        limit: 3,
    };
    loop {
        let rows = engine.list(Default::default(), page).await.answered();
        seen.extend(rows.iter().map(|row| row.id));
        let Some(next) = rows.next() else { break };
        page.after = Some(*next);
    }
    assert_eq!(seen, ids);
    let by = |filter| engine.list(filter, engine::ListPage::default());
    let active = engine::ListFilter {
        states: vec![PublicState::Active],
        ..Default::default()
    };
    assert_eq!(by(active).await.answered().len(), 2);
    let tagged = engine::ListFilter {
        tag: Some(("app.even".into(), "yes".into())),
        ..Default::default()
    };
    assert_eq!(by(tagged).await.answered().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_woken_by_the_end() {
    let (_database, engine) = setup().await;
    let id = engine.create(create("x")).await.accepted().id();
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.wait(id, None, Duration::from_secs(20)).await }
    });
    let claimed = claim_one(&engine).await;
    engine
        .complete(complete(claimed.fence, "done"))
        .await
        .accepted();
    let info = waiting.await.expect("joined").answered().expect("known");
    assert_eq!(info.public_state, PublicState::Completed);
}
