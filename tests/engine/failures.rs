//! Attempts that fail, run too long, or lose their host: retries, reclaims and
//! where they end.

use std::time::Duration;

use engine::{Fail, Failed};
use model::{
    AttemptType, BlockingReason, EngineCode, EventFamily, EventKind, Failure, FailureClass,
    GrantKind, PublicState,
};
use testkit::Answered;

use crate::support::lists::events;
use crate::support::waiting;
use crate::support::work::{claim, claim_one, complete, create, fail, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_failure_is_retried_after_its_backoff_and_fails_at_the_end() {
    let (database, engine) = setup().await;
    let mut create = create("x");
    create.policy.retry_policy.max_retries = 1;
    let id = engine.create(create).await.accepted().id();
    let first = claim_one(&engine).await;
    let failed = engine
        .fail(fail(first.fence, FailureClass::Transient))
        .await;
    assert!(matches!(
        failed.answered(),
        Ok(Failed::RetryScheduled { .. })
    ));
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Delayed);
    assert_eq!(info.blocking_reason, BlockingReason::WaitingForRetryBackoff);
    engine.reconcile().await.expect("swept");
    assert!(
        claim(&engine, 1).await.is_empty(),
        "not before the backoff is over"
    );

    database.advance(Duration::from_secs(2)).await;
    engine.reconcile().await.expect("swept");
    let second = claim_one(&engine).await;
    assert_eq!(second.attempt_type, AttemptType::Retry);
    assert_eq!(
        (second.fence.attempt, second.fence.epoch, second.retries),
        (1, 2, 1)
    );
    let late = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(late.refused().code(), "stale_lease");
    let failed = engine
        .fail(fail(second.fence, FailureClass::Transient))
        .await;
    assert_eq!(failed.answered(), Ok(Failed::Terminal));
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Failed);
    assert_eq!(info.failure.expect("recorded").code, "broken");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_is_not_retried() {
    let (database, engine) = setup().await;
    engine.create(create("x")).await.accepted();
    let claimed = claim_one(&engine).await;
    let failed = engine
        .fail(fail(claimed.fence, FailureClass::Permanent))
        .await;
    assert_eq!(failed.answered(), Ok(Failed::Terminal));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_is_reclaimed_and_its_holder_is_refused() {
    let (database, engine) = setup().await;
    engine.create(create("x")).await.accepted();
    let first = claim_one(&engine).await;
    database.advance(Duration::from_secs(31)).await;
    let renewed = engine
        .renew(&[first.fence], 30_000)
        .await
        .answered()
        .remove(0);
    assert_eq!(renewed.expect_err("it lapsed").code(), "lease_expired");
    let refused = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(refused.refused().code(), "lease_expired");
    engine.reconcile().await.expect("swept");
    let refused = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(refused.refused().code(), "lease_expired");

    let second = claim_one(&engine).await;
    assert_eq!(second.attempt_type, AttemptType::Reclaim);
    assert_eq!(
        (second.fence.attempt, second.fence.epoch),
        (1, 3),
        "the epoch grew twice"
    );
    let refused = engine
        .renew(&[first.fence], 30_000)
        .await
        .answered()
        .remove(0);
    assert_eq!(refused.expect_err("another holds it").code(), "stale_lease");
    let refused = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(refused.refused().code(), "stale_lease");
    engine
        .complete(complete(second.fence, "done"))
        .await
        .accepted();
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_whose_hosts_keep_dying_fails_at_its_cap() {
    let (database, engine) = setup().await;
    let mut poison = create("x");
    poison.policy.timeout_policy.max_reclaim_count = 2;
    let id = engine.create(poison).await.accepted().id();
    for _ in 0..3 {
        claim_one(&engine).await;
        database.advance(Duration::from_secs(31)).await;
        engine.reconcile().await.expect("swept");
    }
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Failed);
    assert_eq!(
        info.failure.expect("recorded").code,
        "max_reclaims_exceeded"
    );
    database.events_are_readable().await;
    let kinds = events::kinds(&engine, EventFamily::Completion).await;
    assert_eq!(kinds, [EventKind::Failed], "the end is an event");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_runs_too_long_is_retried_and_expires_at_the_end() {
    let (database, engine) = setup().await;
    let mut slow = create("x");
    slow.policy.timeout_policy.attempt_timeout_ms = Some(5_000);
    slow.policy.retry_policy.max_retries = 1;
    let id = engine.create(slow).await.accepted().id();
    claim_one(&engine).await;
    database.advance(Duration::from_secs(6)).await;
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Delayed);
    database.advance(Duration::from_secs(2)).await;
    engine.reconcile().await.expect("swept");
    claim_one(&engine).await;
    database.advance(Duration::from_secs(6)).await;
    engine.reconcile().await.expect("swept");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Expired);
    assert_eq!(info.failure.expect("recorded").code, "attempt_timeout");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_leases_are_listed_in_pages_until_they_are_reclaimed() {
    let (database, engine) = setup().await;
    for _ in 0..5 {
        let created = engine.create(create("x")).await;
        created.accepted();
    }
    let claimed = claim(&engine, 3).await;
    let none = engine.list_expired_leases(None, None, 10).await;
    assert!(none.answered().is_empty(), "they hold");
    database.advance(Duration::from_secs(31)).await;
    claim(&engine, 2).await;
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = engine.list_expired_leases(None, after, 2).await;
        let page = page.answered();
        let Some(last) = page.last() else { break };
        after = Some(last.execution_id);
        listed.extend(page.into_iter().map(|lapsed| lapsed.execution_id));
    }
    let mut wanted: Vec<_> = claimed.iter().map(|c| c.fence.execution_id).collect();
    wanted.sort();
    listed.sort();
    assert_eq!(listed, wanted);
    let elsewhere = engine
        .list_expired_leases(Some("elsewhere"), None, 10)
        .await;
    assert!(elsewhere.answered().is_empty());
    engine.reconcile().await.expect("swept");
    let none = engine.list_expired_leases(None, None, 10).await;
    assert!(none.answered().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_of_an_attempt_covers_all_its_leases() {
    let (database, engine) = setup().await;
    let mut slow = create("x");
    slow.policy.timeout_policy.attempt_timeout_ms = Some(10_000);
    slow.policy.retry_policy.max_retries = 0;
    let id = engine.create(slow).await;
    let id = id.accepted().id();
    let state = async || {
        let info = engine.get(id, None).await.answered();
        info.expect("known").public_state
    };
    // Four seconds each: a delay, a suspension, a hold of an operator and a wait for
    // children, in which much time passes that is not the attempt's.
    let mut left = 10_000;
    for turn in 0..3 {
        let claimed = claim_one(&engine).await;
        let given = claimed.attempt_timeout_ms.expect("it is limited");
        assert!(
            given <= left && given + 2_000 > left,
            "turn {turn}: {given} of {left} ms"
        );
        assert_eq!(claimed.fence.attempt, 0, "it is one attempt");
        if turn == 2 {
            break;
        }
        database.advance(Duration::from_secs(4)).await;
        engine.reconcile().await.expect("swept");
        left -= 4_000;
        if turn == 0 {
            let delay = engine::Delay {
                fence: claimed.fence,
                due: engine::Due::InMs(60_000),
                report: Default::default(),
            };
            let answer = engine.delay(delay).await;
            answer.accepted();
            database.advance(Duration::from_secs(100)).await;
            engine.reconcile().await.expect("swept");
            let hold = engine::Block {
                operate: crate::support::work::operate(id),
                reason: BlockingReason::PausedByOperator,
                detail: None,
            };
            engine.block(hold).await.accepted();
            let answer = engine
                .unblock(crate::support::work::operate(id), None)
                .await;
            answer.accepted();
        } else {
            let wait = waiting::suspend(claimed.fence, waiting::single("door", "open"));
            let suspended = waiting::suspended(&engine, wait).await;
            database.advance(Duration::from_secs(100)).await;
            let signal = waiting::signal(&suspended.waitpoints[0].token, "open");
            waiting::deliver(&engine, signal).await;
        }
    }
    database.advance(Duration::from_secs(3)).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(state().await, PublicState::Expired, "eleven of ten seconds");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_attempt_has_the_whole_time_limit() {
    let (database, engine) = setup().await;
    let mut slow = create("x");
    slow.policy.timeout_policy.attempt_timeout_ms = Some(10_000);
    let id = engine.create(slow).await;
    let id = id.accepted().id();
    for attempt in 0..3 {
        let claimed = claim_one(&engine).await;
        assert_eq!(claimed.fence.attempt, attempt);
        assert_eq!(claimed.attempt_timeout_ms, Some(10_000), "{attempt}");
        database.advance(Duration::from_secs(4)).await;
        if attempt == 0 {
            let failed = engine.fail(fail(claimed.fence, FailureClass::Transient));
            failed.await.accepted();
        } else {
            let answer = engine.release(claimed.fence, Default::default()).await;
            answer.accepted();
        }
        database.advance(Duration::from_secs(4)).await;
        engine.reconcile().await.expect("swept");
    }
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Waiting);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_cannot_use_failure_codes_of_the_engine() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.retry_policy.max_retries = 0;
    let id = engine.create(request).await;
    let id = id.accepted().id();
    let claimed = claim_one(&engine).await;
    for code in EngineCode::ALL {
        let failure = Failure::new(FailureClass::Permanent, code.as_str(), "so it seems");
        let holder = Fail {
            failure: failure.clone(),
            ..fail(claimed.fence, FailureClass::Permanent)
        };
        let holder = engine.fail(holder).await;
        let operator = engine
            .fail_override(crate::support::work::operate(id), failure)
            .await;
        for refused in [holder.refused().to_string(), operator.refused().to_string()] {
            assert!(
                refused.contains(code.as_str()) && refused.contains("reserved"),
                "{refused}"
            );
        }
    }
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Active, "nothing happened");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_in_the_log_of_an_attempt_decides_nothing() {
    let (database, engine) = setup().await;
    let id = engine.create(create("x")).await;
    let id = id.accepted().id();
    let claimed = claim_one(&engine).await;
    let failed = engine.fail(fail(claimed.fence, FailureClass::Permanent));
    failed.await.accepted();
    // As a host wrote it that did not refuse the word.
    let mut connection = database.connection().await;
    sqlx::query("UPDATE finished SET failure_code = 'max_reclaims_exceeded'")
        .execute(&mut connection)
        .await
        .expect("written");
    let wanted = engine::IssueGrant {
        worker_id: "w".to_owned(),
        worker_instance_id: "w-1".to_owned(),
        capabilities: Default::default(),
        grant_ttl_ms: 60_000,
    };
    let refused = engine
        .issue_grant(id, None, GrantKind::Reclaim, wanted)
        .await;
    assert_eq!(refused.refused().code(), "execution_not_reclaimable");
}
