//! How suspensions end, each once.

use std::time::Duration;

use engine::{Suspend, SuspensionTimeout};
use model::{
    BlockingReason, CancelSource, PublicState, ResumeCondition, SignalEffect, SignalRefusal,
    SuspensionCloseReason, TimeoutBehavior, WaitpointCloseReason,
};
use testkit::Answered;

use crate::support::lists;
use crate::support::waiting::{
    deliver, from, names, resumption, running, signal, single, sources, state, suspend, suspended,
    suspended_execution, try_deliver,
};
use crate::support::work::{claim_one, completed, create, operate, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_reclaim_resumes_from_saved_state_but_a_replay_does_not() {
    let (database, engine) = setup().await;
    let (_, waitpoint) = suspended_execution(&engine, single("door", "open")).await;
    deliver(&engine, signal(&waitpoint.token, "open")).await;
    let second = claim_one(&engine).await;
    let resumed = resumption(&second).clone();
    database.advance(Duration::from_secs(60)).await;
    engine.reconcile().await.expect("swept");
    let third = claim_one(&engine).await;
    assert_eq!(third.fence.attempt, 1, "the host died: a new attempt");
    assert_eq!(resumption(&third), &resumed);
    let seen = engine.observe_signals(third.fence, 0).await;
    assert_eq!(seen.accepted(), resumed.signals);
    let stale = engine.observe_signals(second.fence, 0).await;
    assert_eq!(stale.refused().code(), "stale_lease");
    completed(&engine, third.fence).await;
    engine
        .replay(operate(third.fence.execution_id))
        .await
        .accepted();
    let fourth = claim_one(&engine).await;
    assert_eq!(fourth.resumption, None);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_timeout_behavior_leads_to_its_state() {
    let (database, engine) = setup().await;
    for (behavior, public, reason) in [
        (TimeoutBehavior::Fail, PublicState::Failed, "timed_out_fail"),
        (
            TimeoutBehavior::Cancel,
            PublicState::Cancelled,
            "timed_out_cancel",
        ),
        (
            TimeoutBehavior::Expire,
            PublicState::Expired,
            "timed_out_expire",
        ),
        (
            TimeoutBehavior::AutoResumeWithTimeoutSignal,
            PublicState::Waiting,
            "timed_out_auto_resume",
        ),
        (TimeoutBehavior::Escalate, PublicState::Suspended, ""),
    ] {
        let claimed = running(&engine).await;
        let request = Suspend {
            timeout: Some(SuspensionTimeout::InMs(60_000)),
            timeout_behavior: Some(behavior),
            ..suspend(claimed.fence, single("door", "open"))
        };
        let suspension = suspended(&engine, request).await;
        assert!(suspension.timeout_at.is_some());
        engine.reconcile().await.expect("swept");
        assert_eq!(state(&engine, claimed.fence).await, PublicState::Suspended);
        database.advance(Duration::from_secs(61)).await;
        engine.reconcile().await.expect("swept");
        assert_eq!(state(&engine, claimed.fence).await, public, "{behavior}");
        let id = claimed.fence.execution_id;
        let info = lists::suspensions(&engine, id).await.remove(0);
        let closed = info.close_reason.map(SuspensionCloseReason::as_str);
        assert_eq!(closed.unwrap_or_default(), reason);
        let token = &suspension.waitpoints[0].token;
        match behavior {
            TimeoutBehavior::Escalate => {
                assert!(info.escalated_at.is_some());
                let shown = engine.list_suspended(None, None, 10).await.answered();
                assert_eq!(shown[0].blocking_reason, BlockingReason::PausedByOperator);
                engine.reconcile().await.expect("swept");
                deliver(&engine, signal(token, "open")).await;
                let next = claim_one(&engine).await;
                assert_eq!(names(resumption(&next)), ["open"]);
            }
            TimeoutBehavior::AutoResumeWithTimeoutSignal => {
                let late = try_deliver(&engine, signal(token, "open")).await;
                let reason = WaitpointCloseReason::TimedOutAutoResume;
                assert_eq!(late, Err(SignalRefusal::WaitpointClosed { reason }));
                let next = claim_one(&engine).await;
                completed(&engine, next.fence).await;
                let resumed = resumption(&next);
                assert_eq!(resumed.reason, SuspensionCloseReason::TimedOutAutoResume);
                assert_eq!(
                    (resumed.signal_count, resumed.state.clone()),
                    (0, Some(text("saved")))
                );
            }
            _ => {
                let late = try_deliver(&engine, signal(token, "open")).await;
                assert_eq!(late.expect_err("over").code(), "target_not_signalable");
                let seen = lists::waitpoints(&engine, id).await.remove(0);
                assert_eq!(seen.close_reason.expect("closed").as_str(), reason);
            }
        }
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_an_execution_sets_time_limit_and_number_of_signals() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.suspension_policy.default_timeout_ms = Some(60_000);
    request.policy.suspension_policy.timeout_behavior = TimeoutBehavior::Cancel;
    request.policy.max_signals_per_execution = 2;
    engine.create(request).await.accepted();
    let claimed = claim_one(&engine).await;
    let suspension = suspended(
        &engine,
        suspend(claimed.fence, ResumeCondition::TimeoutOnly),
    )
    .await;
    assert!(suspension.timeout_at.is_some());
    let token = &suspension.waitpoints[0].token;
    for _ in 0..2 {
        assert_eq!(
            deliver(&engine, signal(token, "x")).await.effect,
            SignalEffect::NoOp
        );
    }
    let third = try_deliver(&engine, signal(token, "x")).await;
    assert_eq!(third, Err(SignalRefusal::SignalLimitExceeded { max: 2 }));
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(state(&engine, claimed.fence).await, PublicState::Cancelled);
    database.assert_invariants().await;
}

/// A suspension ends once, whichever verbs run concurrently.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_ends_once_under_concurrent_verbs() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    for round in 0..40 {
        let claimed = running(&engine).await;
        let request = Suspend {
            timeout: Some(SuspensionTimeout::InMs(1)),
            timeout_behavior: Some(if round % 2 == 0 {
                TimeoutBehavior::AutoResumeWithTimeoutSignal
            } else {
                TimeoutBehavior::Fail
            }),
            ..suspend(claimed.fence, sources("door", 2))
        };
        let id = claimed.fence.execution_id;
        let suspension = suspended(&engine, request).await;
        let token = &suspension.waitpoints[0].token;
        let cancel = engine::Cancel {
            id,
            namespace: None,
            reason: None,
            source: CancelSource::OperatorOverride,
            actor: None,
        };
        let (one, two, _, _, _) = futures::join!(
            try_deliver(&engine, from(signal(token, "a"), "a")),
            try_deliver(&other, from(signal(token, "b"), "b")),
            async {
                if round % 3 > 0 {
                    other.reconcile().await.expect("swept");
                }
            },
            async {
                if round % 5 == 0 {
                    drop(engine.cancel(cancel).await.answered())
                }
            },
            async {
                if round % 7 == 0 {
                    drop(other.resume(operate(id), None).await.answered())
                }
            },
        );
        let satisfied = [&one, &two]
            .iter()
            .filter(
                |it| matches!(it, Ok(it) if it.effect == SignalEffect::ResumeConditionSatisfied),
            )
            .count();
        let suspensions = lists::suspensions(&engine, id).await;
        let reason = suspensions[0].close_reason.expect("it is over");
        assert_eq!(
            satisfied,
            usize::from(reason == SuspensionCloseReason::Satisfied)
        );
        let now = state(&engine, claimed.fence).await;
        // A cancellation may also come after it.
        let resumed = now == PublicState::Waiting;
        assert!(
            resumed || now.is_terminal() && (round % 5 == 0 || !reason.resumes()),
            "{reason} {now}"
        );
        assert!(reason.resumes() || !resumed, "{reason} {now}");
        if resumed {
            let next = claim_one(&engine).await;
            completed(&engine, next.fence).await;
        }
    }
    database.assert_invariants().await;
}
