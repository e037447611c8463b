//! Suspensions on a real database: how they are asked for, and that each ends once.

use std::time::Duration;

use engine::{Binding, Suspend, Suspended, SuspensionTimeout, WaitpointRef};
use model::{
    BlockingReason, CancelSource, FailureClass, Fence, Moment, PublicState, ResumeCondition,
    SignalEffect, SignalRefusal, SuspensionCloseReason, TimeoutBehavior, WaitpointCloseReason,
};
use time::OffsetDateTime;

use crate::waiting::{
    deliver, from, names, put_down, resumption, running, signal, single, sources, state, suspend,
    suspended, try_deliver, try_suspend, waitpoint,
};
use crate::work::{claim_one, completed, create, fail, operate, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_wish_finds_its_suspension_again() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let wish = || suspend(claimed.fence, single("door", "open"));
    let first = suspended(&engine, wish()).await;
    let again = suspended(&engine, wish()).await;
    assert_eq!(first.id, again.id);
    assert_eq!(first.waitpoints[0].id, again.waitpoints[0].id);
    deliver(&engine, signal(&again.waitpoints[0].token, "open")).await;
    let late = suspended(&engine, wish()).await;
    assert_eq!(late.id, first.id);
    let next = claim_one(&engine).await;
    let stale = try_suspend(&engine, wish()).await;
    assert!(stale.is_ok(), "its own lease ended so");
    let another = suspend(claimed.fence, single("window", "open"));
    let refused = try_suspend(&engine, another).await;
    assert_eq!(refused.expect_err("another wish").code(), "stale_lease");
    let other = Fence {
        lease_id: model::LeaseId(uuid::Uuid::nil()),
        ..claimed.fence
    };
    let refused = try_suspend(&engine, suspend(other, single("door", "open"))).await;
    assert_eq!(refused.expect_err("not its lease").code(), "stale_lease");
    completed(&engine, next.fence).await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_suspension_is_asked_for_in_every_call_and_waited_for_once() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let named = |fence| Suspend {
        idempotency_key: Some("approval".to_owned()),
        ..suspend(fence, single("door", "open"))
    };
    let suspension = suspended(&engine, named(claimed.fence)).await;
    deliver(&engine, signal(&suspension.waitpoints[0].token, "open")).await;
    let second = claim_one(&engine).await;
    for fence in [second.fence, second.fence] {
        let Suspended::AlreadySatisfied(went_on) =
            try_suspend(&engine, named(fence)).await.expect("known")
        else {
            panic!("it waits again");
        };
        assert_eq!(went_on.suspension_id, suspension.id);
        assert_eq!(names(&went_on), ["open"]);
    }
    // A failure and a retry later it is still answered.
    let answer = engine
        .fail(fail(second.fence, FailureClass::Transient))
        .await;
    answer.expect("asked").expect("failed");
    database.advance(Duration::from_secs(3600)).await;
    engine.reconcile().await.expect("swept");
    let third = claim_one(&engine).await;
    assert_eq!(third.fence.attempt, 1);
    assert_eq!(resumption(&third).suspension_id, suspension.id);
    let answer = try_suspend(&engine, named(third.fence)).await;
    assert!(matches!(answer, Ok(Suspended::AlreadySatisfied(_))));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_goes_on_where_the_suspension_left_off_and_a_replay_anew() {
    let (database, engine) = setup().await;
    let (_, waitpoint) = put_down(&engine, single("door", "open")).await;
    deliver(&engine, signal(&waitpoint.token, "open")).await;
    let second = claim_one(&engine).await;
    let went_on = resumption(&second).clone();
    database.advance(Duration::from_secs(60)).await;
    engine.reconcile().await.expect("swept");
    let third = claim_one(&engine).await;
    assert_eq!(third.fence.attempt, 1, "the host died: a new attempt");
    assert_eq!(resumption(&third), &went_on);
    let seen = engine.observe_signals(third.fence, 0).await.expect("asked");
    assert_eq!(seen.expect("held"), went_on.signals);
    let stale = engine
        .observe_signals(second.fence, 0)
        .await
        .expect("asked");
    assert_eq!(stale.expect_err("lost").code(), "stale_lease");
    completed(&engine, third.fence).await;
    engine
        .replay(operate(third.fence.execution_id))
        .await
        .expect("asked")
        .expect("replayed");
    let fourth = claim_one(&engine).await;
    assert_eq!(fourth.resumption, None);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_timeout_behaviour_has_its_end() {
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
        let wish = Suspend {
            timeout: Some(SuspensionTimeout::InMs(60_000)),
            timeout_behavior: Some(behavior),
            ..suspend(claimed.fence, single("door", "open"))
        };
        let suspension = suspended(&engine, wish).await;
        assert!(suspension.timeout_at.is_some());
        engine.reconcile().await.expect("swept");
        assert_eq!(state(&engine, claimed.fence).await, PublicState::Suspended);
        database.advance(Duration::from_secs(61)).await;
        engine.reconcile().await.expect("swept");
        assert_eq!(state(&engine, claimed.fence).await, public, "{behavior}");
        let id = claimed.fence.execution_id;
        let suspensions = engine.suspensions(id, None, 100).await.expect("asked");
        let info = suspensions.expect("known").rows.remove(0);
        let closed = info.close_reason.map(SuspensionCloseReason::as_str);
        assert_eq!(closed.unwrap_or_default(), reason);
        let token = &suspension.waitpoints[0].token;
        match behavior {
            TimeoutBehavior::Escalate => {
                assert!(info.escalated_at.is_some());
                let shown = engine.list_suspended(None, None, 10).await.expect("asked");
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
                let went_on = resumption(&next);
                assert_eq!(went_on.reason, SuspensionCloseReason::TimedOutAutoResume);
                assert_eq!(
                    (went_on.signal_count, went_on.state.clone()),
                    (0, Some(text("saved")))
                );
            }
            _ => {
                let late = try_deliver(&engine, signal(token, "open")).await;
                assert_eq!(late.expect_err("over").code(), "target_not_signalable");
                let seen = engine.waitpoints(id, None).await.expect("asked");
                let seen = seen.expect("known").rows.remove(0);
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
    request.policy.max_signals_per_execution.0 = 2;
    engine
        .create(request)
        .await
        .expect("asked")
        .expect("created");
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

/// Whatever meets at a suspension, it ends once.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_ends_once_whoever_meets_there() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    for round in 0..40 {
        let claimed = running(&engine).await;
        let wish = Suspend {
            timeout: Some(SuspensionTimeout::InMs(1)),
            timeout_behavior: Some(if round % 2 == 0 {
                TimeoutBehavior::AutoResumeWithTimeoutSignal
            } else {
                TimeoutBehavior::Fail
            }),
            ..suspend(claimed.fence, sources("door", 2))
        };
        let id = claimed.fence.execution_id;
        let suspension = suspended(&engine, wish).await;
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
                    drop(engine.cancel(cancel).await.expect("asked"))
                }
            },
            async {
                if round % 7 == 0 {
                    drop(other.resume(operate(id), None).await.expect("asked"))
                }
            },
        );
        let satisfied = [&one, &two]
            .iter()
            .filter(
                |it| matches!(it, Ok(it) if it.effect == SignalEffect::ResumeConditionSatisfied),
            )
            .count();
        let suspensions = engine
            .suspensions(id, None, 100)
            .await
            .expect("asked")
            .expect("known");
        let reason = suspensions[0].close_reason.expect("it is over");
        assert_eq!(
            satisfied,
            usize::from(reason == SuspensionCloseReason::Satisfied)
        );
        let now = state(&engine, claimed.fence).await;
        // A cancellation may also come after it.
        let went_on = now == PublicState::Waiting;
        assert!(
            went_on || now.is_terminal() && (round % 5 == 0 || !reason.resumes()),
            "{reason} {now}"
        );
        assert!(reason.resumes() || !went_on, "{reason} {now}");
        if went_on {
            let next = claim_one(&engine).await;
            completed(&engine, next.fence).await;
        }
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_suspension_has_its_name() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let fence = claimed.fence;
    let taken = waitpoint(&engine, fence, "taken").await;
    let closed = waitpoint(&engine, fence, "closed").await;
    let by_key = WaitpointRef::Key("closed".to_owned());
    let answer = engine
        .close_waitpoint(operate(fence.execution_id), by_key)
        .await;
    answer.expect("asked").expect("closed");
    let base = || suspend(fence, single("door", "open"));
    let fresh = |key: &str| Binding::Fresh {
        key: key.into(),
        signal_names: vec![],
    };
    let cases: Vec<(Suspend, &str, &str)> = vec![
        (
            Suspend {
                waitpoints: vec![fresh("taken")],
                ..suspend(fence, single("taken", "x"))
            },
            "waitpoint_already_exists",
            "taken",
        ),
        (
            Suspend {
                waitpoints: vec![Binding::UsePending(model::WaitpointId(uuid::Uuid::nil()))],
                ..base()
            },
            "waitpoint_not_found",
            "",
        ),
        (
            Suspend {
                waitpoints: vec![Binding::UsePending(taken.id)],
                ..base()
            },
            "invalid_input",
            "waitpoint_key_mismatch",
        ),
        (
            Suspend {
                waitpoints: vec![Binding::UsePending(closed.id)],
                ..base()
            },
            "waitpoint_not_pending",
            "closed",
        ),
        (
            suspend(fence, ResumeCondition::TimeoutOnly),
            "invalid_input",
            "timeout_only_without_deadline",
        ),
        (
            Suspend {
                waitpoints: vec![fresh("door"), fresh("b")],
                ..base()
            },
            "invalid_input",
            "extra_binding_not_referenced_by_condition",
        ),
        (
            Suspend {
                waitpoints: (0..65).map(|n| fresh(&n.to_string())).collect(),
                ..base()
            },
            "invalid_input",
            "waitpoints_exceeded",
        ),
        (
            Suspend {
                timeout: Some(SuspensionTimeout::InMs(0)),
                ..base()
            },
            "invalid_input",
            "timeout_ms",
        ),
        (
            Suspend {
                timeout: Some(SuspensionTimeout::At(
                    Moment::new(OffsetDateTime::UNIX_EPOCH).expect("a time"),
                )),
                ..base()
            },
            "invalid_input",
            "timeout_at_in_past",
        ),
        (
            Suspend {
                state: Some(engine::Payload::new("x/y", vec![0; (1 << 20) + 1])),
                ..base()
            },
            "invalid_input",
            "state",
        ),
        (
            Suspend {
                idempotency_key: Some(String::new()),
                ..base()
            },
            "invalid_input",
            "idempotency_key",
        ),
    ];
    for (wish, code, part) in cases {
        let refused = try_suspend(&engine, wish).await.expect_err(part);
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.to_string().contains(part), "{refused}");
    }
    assert_eq!(
        state(&engine, fence).await,
        PublicState::Active,
        "the lease stayed"
    );
    completed(&engine, fence).await;
    let refused = try_suspend(&engine, base()).await.expect_err("over");
    assert_eq!(refused.code(), "execution_not_active");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_is_asked_for_again_after_its_time_and_is_no_new_one() {
    let (database, engine) = setup().await;
    let first = running(&engine).await;
    let until = crate::work::now(&database).await + Duration::from_secs(3);
    let wish = |fence, key: Option<&str>| {
        let mut suspend = suspend(fence, single("door", "open"));
        suspend.timeout = Some(SuspensionTimeout::At(Moment::new(until).expect("a time")));
        suspend.timeout_behavior = Some(TimeoutBehavior::AutoResumeWithTimeoutSignal);
        suspend.idempotency_key = key.map(str::to_owned);
        suspend
    };
    let begun = suspended(&engine, wish(first.fence, Some("once"))).await;
    database.advance(Duration::from_secs(4)).await;
    engine.reconcile().await.expect("swept");
    let second = claim_one(&engine).await;
    testkit::eventually("the time limit has passed", async || {
        (crate::work::now(&database).await > until).then_some(())
    })
    .await;
    // Its handler runs from its beginning again.
    let again = try_suspend(&engine, wish(second.fence, Some("once"))).await;
    let Ok(Suspended::AlreadySatisfied(resumption)) = again else {
        panic!("it is over: {again:?}");
    };
    assert_eq!(
        (resumption.suspension_id, resumption.reason),
        (begun.id, SuspensionCloseReason::TimedOutAutoResume)
    );
    // The one whose answer was lost.
    let repeated = suspended(&engine, wish(first.fence, Some("once"))).await;
    assert_eq!(
        (repeated.id, repeated.timeout_at),
        (begun.id, begun.timeout_at)
    );
    for key in [None, Some("another")] {
        let refused = try_suspend(&engine, wish(second.fence, key)).await;
        let refused = refused.expect_err("there is nothing to wait for");
        assert!(
            refused.to_string().contains("timeout_at_in_past"),
            "{refused}"
        );
    }
    database.assert_invariants().await;
}
