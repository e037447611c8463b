//! Signals on a real database: the effect of each, early or late, and that none
//! is lost or counted twice.

use std::collections::HashSet;
use std::time::Duration;

use engine::{SendSignal, Suspended, WaitpointRef, WaitpointTokenExpiry};
use model::{
    AttemptEnd, EventFamily, EventKind, Limits, PublicState, SignalEffect, SignalRefusal,
    SuspensionCloseReason, WaitpointCloseReason,
};
use testkit::Answered;

use crate::support::lists::{self, events};
use crate::support::waiting::{
    deliver, from, names, resumption, running, signal, single, sources, state, suspend, suspended,
    suspended_execution, try_deliver, try_suspend, waitpoint,
};
use crate::support::work::{claim, claim_one, completed, operate, setup, text};

fn keyed(mut deliver: SendSignal, key: &str) -> SendSignal {
    deliver.idempotency_key = Some(key.to_owned());
    deliver
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_resumes_the_same_attempt_with_its_state() {
    let (database, engine) = setup().await;
    let (first, waitpoint) = suspended_execution(&engine, single("door", "open")).await;
    assert_eq!(first.resumption, None);
    assert_eq!(state(&engine, first.fence).await, PublicState::Suspended);
    assert_eq!(claim(&engine, 1).await.len(), 0);

    let ignored = deliver(&engine, signal(&waitpoint.token, "knock")).await;
    assert_eq!(ignored.effect, SignalEffect::SignalIgnoredMatcherFailed);
    let done = deliver(&engine, signal(&waitpoint.token, "open")).await;
    assert_eq!(done.effect, SignalEffect::ResumeConditionSatisfied);
    assert_eq!(done.execution_id, first.fence.execution_id);
    assert_eq!(done.waitpoint_id, waitpoint.id);
    assert_eq!(state(&engine, first.fence).await, PublicState::Waiting);

    let second = claim_one(&engine).await;
    assert!(second.resumes && second.fence.epoch > first.fence.epoch);
    assert_eq!(second.fence.attempt, first.fence.attempt);
    let resumed = resumption(&second);
    assert_eq!(resumed.reason, SuspensionCloseReason::Satisfied);
    assert_eq!(resumed.state, Some(text("saved")));
    assert_eq!((names(resumed), resumed.signal_count), (vec!["open"], 1));
    assert_eq!(resumed.signals[0].id, done.signal_id);
    assert_eq!(resumed.signals[0].payload, Some(text("open")));
    assert_eq!(resumed.signals[0].waitpoint_key, "door");

    let late = try_deliver(&engine, signal(&waitpoint.token, "open")).await;
    let resumed = SignalRefusal::WaitpointClosed {
        reason: WaitpointCloseReason::Resumed,
    };
    assert_eq!(late, Err(resumed));
    completed(&engine, second.fence).await;
    let late = try_deliver(&engine, signal(&waitpoint.token, "open")).await;
    assert_eq!(late.expect_err("over").code(), "target_not_signalable");

    let attempts = lists::attempts(&engine, first.fence.execution_id).await;
    assert_eq!(attempts.len(), 1, "one attempt with two leases");
    assert_eq!(attempts[0].leases[0].ended, Some(AttemptEnd::Suspended));
    database.events_are_readable().await;
    assert_eq!(
        events::kinds(&engine, EventFamily::Lifecycle).await,
        [
            EventKind::Created,
            EventKind::Acquired,
            EventKind::Suspended,
            EventKind::Resumed,
            EventKind::Acquired,
            EventKind::Success,
        ]
    );
    let told = events::all(&engine, &events::of(EventFamily::SignalDelivery)).await;
    let told: Vec<_> = told
        .iter()
        .map(|event| event.fact.detail().signal_id)
        .collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1], Some(done.signal_id));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn early_signals_satisfy_a_suspension_and_the_lease_stays() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let made = waitpoint(&engine, claimed.fence, "door").await;
    assert!(!made.existing && made.expires_at.is_some());
    let early = deliver(&engine, signal(&made.token, "open")).await;
    assert_eq!(early.effect, SignalEffect::BufferedForPendingWaitpoint);
    let again = waitpoint(&engine, claimed.fence, "door").await;
    assert!(again.existing && again.id == made.id, "the same waitpoint");

    let request = suspend(claimed.fence, single("door", "open"));
    let Suspended::AlreadySatisfied(engine::Satisfied {
        resumption: resumed,
        ..
    }) = try_suspend(&engine, request).await.expect("satisfied")
    else {
        panic!("it suspended");
    };
    assert_eq!((names(&resumed), resumed.signal_count), (vec!["open"], 1));
    assert_eq!(state(&engine, claimed.fence).await, PublicState::Active);
    let late = try_deliver(&engine, signal(&made.token, "open")).await;
    assert_eq!(late.expect_err("closed").code(), "waitpoint_closed");

    // What does not satisfy still counts once it is waited for.
    let two = waitpoint(&engine, claimed.fence, "two").await;
    deliver(&engine, from(signal(&two.token, "yes"), "a")).await;
    suspended(&engine, suspend(claimed.fence, sources("two", 2))).await;
    let same = deliver(&engine, from(signal(&two.token, "yes"), "a")).await;
    assert_eq!(same.effect, SignalEffect::AppendedToWaitpointDuplicate);
    let other = deliver(&engine, from(signal(&two.token, "yes"), "b")).await;
    assert_eq!(other.effect, SignalEffect::ResumeConditionSatisfied);
    let next = claim_one(&engine).await;
    assert_eq!(resumption(&next).signal_count, 2);
    database.assert_invariants().await;
}

/// A request to suspend and an early signal: it is buffered and satisfies
/// immediately, or it is received later; it is never lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_concurrent_with_the_suspension_is_not_lost() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    for _ in 0..60 {
        let claimed = running(&engine).await;
        let made = waitpoint(&engine, claimed.fence, "door").await;
        let (answer, delivered) = futures::join!(
            try_suspend(&engine, suspend(claimed.fence, single("door", "open"))),
            deliver(&other, signal(&made.token, "open")),
        );
        match answer.expect("accepted") {
            Suspended::AlreadySatisfied(_) => {
                assert_eq!(delivered.effect, SignalEffect::BufferedForPendingWaitpoint);
                completed(&engine, claimed.fence).await;
            }
            Suspended::Suspended(_) => {
                assert_eq!(delivered.effect, SignalEffect::ResumeConditionSatisfied);
                let next = claim_one(&engine).await;
                completed(&engine, next.fence).await;
            }
        }
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_applies_a_signal_once_across_senders() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let (claimed, waitpoint) = suspended_execution(&engine, sources("door", 2)).await;
    let deliveries = (0..1000).map(|n| {
        let engine = if n % 2 == 0 { &engine } else { &other };
        let deliver = keyed(from(signal(&waitpoint.token, "open"), &n.to_string()), "k");
        async move { try_deliver(engine, deliver).await.expect("accepted") }
    });
    let answers = futures::future::join_all(deliveries).await;
    let ids: HashSet<_> = answers.iter().map(|it| it.signal_id).collect();
    assert_eq!(ids.len(), 1, "all answers name one signal");
    assert_eq!(answers.iter().filter(|it| !it.duplicate).count(), 1);
    let id = claimed.fence.execution_id;
    let kept = lists::signals(&engine, id).await;
    assert_eq!(kept.len(), 1);
    // The key is remembered when the waitpoint is closed, and forgotten in time.
    let done = deliver(&engine, from(signal(&waitpoint.token, "open"), "b")).await;
    assert_eq!(done.effect, SignalEffect::ResumeConditionSatisfied);
    let again = deliver(&engine, keyed(signal(&waitpoint.token, "open"), "k")).await;
    assert!(again.duplicate && ids.contains(&again.signal_id));
    database
        .advance(Duration::from_millis(Limits::SIGNAL_DEDUP_MS_DEFAULT + 1))
        .await;
    let forgotten = try_deliver(&engine, keyed(signal(&waitpoint.token, "open"), "k")).await;
    assert_eq!(forgotten.expect_err("closed").code(), "waitpoint_closed");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_early_signals_are_all_received() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let claimed = running(&engine).await;
    let made = waitpoint(&engine, claimed.fence, "door").await;
    let deliveries = (0..10_000).map(|n| {
        let engine = if n % 2 == 0 { &engine } else { &other };
        let deliver = from(signal(&made.token, "open"), &n.to_string());
        async move {
            try_deliver(engine, deliver)
                .await
                .expect("accepted")
                .signal_id
        }
    });
    let ids: HashSet<_> = futures::future::join_all(deliveries)
        .await
        .into_iter()
        .collect();
    assert_eq!(ids.len(), 10_000);
    let answer = try_suspend(&engine, suspend(claimed.fence, sources("door", 10_000))).await;
    let Ok(Suspended::AlreadySatisfied(engine::Satisfied {
        resumption: resumed,
        ..
    })) = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!(resumed.signal_count, 10_000);
    let mut seen = HashSet::new();
    let mut first = 0;
    loop {
        let page = engine.observe_signals(claimed.fence, first).await;
        let page = page.accepted();
        if page.is_empty() {
            break;
        }
        first += u32::try_from(page.len()).expect("a page");
        seen.extend(page.into_iter().map(|it| it.id));
    }
    assert_eq!(seen, ids);
    let full = try_deliver(&engine, signal(&made.token, "open")).await;
    assert!(full.is_err(), "closed");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_signal_is_a_duplicate_even_after_its_token_expired() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    waitpoint(&engine, claimed.fence, "door").await;
    let which = WaitpointRef::Key("door".to_owned());
    let id = claimed.fence.execution_id;
    let expiry = WaitpointTokenExpiry::InMs(2_000);
    let minted = engine.mint_waitpoint_token(operate(id), which, Vec::new(), expiry);
    let minted = minted.await.accepted();
    let mut knock = signal(&minted.token, "knock");
    knock.idempotency_key = Some("once".to_owned());
    let first = deliver(&engine, knock.clone()).await;
    let over = minted.expires_at.expect("it is bounded");
    testkit::eventually("the token is over", async || {
        (crate::support::work::now(&database).await > over).then_some(())
    })
    .await;
    let again = deliver(&engine, knock.clone()).await;
    assert_eq!((again.signal_id, again.duplicate), (first.signal_id, true));
    knock.idempotency_key = Some("another".to_owned());
    let refused = try_deliver(&engine, knock).await.expect_err("it is over");
    assert_eq!(refused.code(), "invalid_token");
    database.assert_invariants().await;
}
