//! Suspensions on a real database: what is waited for, what arrives, and that each
//! suspension ends once.

use std::collections::HashSet;
use std::time::Duration;

use engine::{
    Addressee, Binding, CreateWaitpoint, Engine, Resumption, Suspend, Suspended, SuspensionTimeout,
    TokenExpiry, WaitpointRef,
};
use model::{
    AttemptEnd, BlockingReason, CancelSource, EventKind, FailureClass, Fence, Limits, PublicState,
    ResumeCondition, ResumePolicy, SignalEffect, SignalRefusal, SuspensionCloseReason,
    TimeoutBehavior, WaitpointCloseReason, WaitpointState,
};
use sqlx::Executor as _;
use testkit::Database;

use crate::waiting::{
    deliver, put_down, signal, single, sources, suspend, suspended, try_deliver, try_suspend,
};
use crate::work::{claim, claim_one, complete, create, fail, operate, setup, text};

async fn running(engine: &Engine) -> engine::Claimed {
    let created = engine.create(create("x")).await;
    created.expect("asked").expect("created");
    claim_one(engine).await
}

async fn waitpoint(engine: &Engine, fence: Fence, key: &str) -> engine::OpenWaitpoint {
    let create = CreateWaitpoint {
        fence,
        key: key.to_owned(),
        expires_in_ms: None,
        signal_names: vec![],
    };
    let made = engine.create_waitpoint(create).await;
    made.expect("asked").expect("made")
}

async fn state(engine: &Engine, fence: Fence) -> PublicState {
    let info = engine.get(fence.execution_id, None).await.expect("asked");
    info.expect("known").public_state
}

async fn reconcile(engine: &Engine) {
    engine.reconcile().await.expect("swept");
}

fn from(mut deliver: engine::Deliver, source: &str) -> engine::Deliver {
    deliver.source_identity = source.to_owned();
    deliver
}

fn keyed(mut deliver: engine::Deliver, key: &str) -> engine::Deliver {
    deliver.idempotency_key = Some(key.to_owned());
    deliver
}

fn resumption(claimed: &engine::Claimed) -> &Resumption {
    claimed.resumption.as_deref().expect("it was suspended")
}

fn names(resumption: &Resumption) -> Vec<&str> {
    resumption
        .signals
        .iter()
        .map(|it| it.name.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_resumes_the_same_attempt_with_its_state() {
    let (database, engine) = setup().await;
    let (first, waitpoint) = put_down(&engine, single("door", "open")).await;
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
    let went_on = resumption(&second);
    assert_eq!(went_on.reason, SuspensionCloseReason::Satisfied);
    assert_eq!(went_on.state, Some(text("saved")));
    assert_eq!((names(went_on), went_on.signal_count), (vec!["open"], 1));
    assert_eq!(went_on.signals[0].id, done.signal_id);
    assert_eq!(went_on.signals[0].payload, Some(text("open")));
    assert_eq!(went_on.signals[0].waitpoint_key, "door");

    let late = try_deliver(&engine, signal(&waitpoint.token, "open")).await;
    let resumed = SignalRefusal::WaitpointClosed {
        reason: WaitpointCloseReason::Resumed,
    };
    assert_eq!(late, Err(resumed));
    let answer = engine.complete(complete(second.fence, "well")).await;
    answer.expect("asked").expect("completed");
    let late = try_deliver(&engine, signal(&waitpoint.token, "open")).await;
    assert_eq!(late.expect_err("over").code(), "target_not_signalable");

    let attempts = engine
        .attempts(first.fence.execution_id)
        .await
        .expect("asked");
    assert_eq!(attempts.len(), 1, "one attempt with two leases");
    assert_eq!(attempts[0].leases[0].ended, Some(AttemptEnd::Suspended));
    database.events_are_readable().await;
    let events = engine
        .events(None, 100)
        .await
        .expect("asked")
        .expect("kept");
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            EventKind::Created,
            EventKind::Acquired,
            EventKind::Suspended,
            EventKind::Signalled,
            EventKind::Signalled,
            EventKind::Resumed,
            EventKind::Acquired,
            EventKind::Success,
        ]
    );
    assert_eq!(events[4].signal_id, Some(done.signal_id));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_early_satisfies_at_once_and_the_lease_stays() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let made = waitpoint(&engine, claimed.fence, "door").await;
    assert!(!made.existing && made.expires_at.is_some());
    let early = deliver(&engine, signal(&made.token, "open")).await;
    assert_eq!(early.effect, SignalEffect::BufferedForPendingWaitpoint);
    let again = waitpoint(&engine, claimed.fence, "door").await;
    assert!(again.existing && again.id == made.id, "the same waitpoint");

    let wish = suspend(claimed.fence, single("door", "open"));
    let Suspended::AlreadySatisfied(went_on) = try_suspend(&engine, wish).await.expect("satisfied")
    else {
        panic!("it suspended");
    };
    assert_eq!((names(&went_on), went_on.signal_count), (vec!["open"], 1));
    assert_eq!(state(&engine, claimed.fence).await, PublicState::Active);
    let late = try_deliver(&engine, signal(&made.token, "open")).await;
    assert_eq!(late.expect_err("closed").code(), "waitpoint_closed");

    // What does not satisfy is still heard once it is waited for.
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
    engine
        .complete(complete(next.fence, ""))
        .await
        .expect("asked")
        .expect("done");
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
    reconcile(&engine).await;
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
    reconcile(&engine).await;
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
    engine
        .complete(complete(third.fence, ""))
        .await
        .expect("asked")
        .expect("done");
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
        reconcile(&engine).await;
        assert_eq!(state(&engine, claimed.fence).await, PublicState::Suspended);
        database.advance(Duration::from_secs(61)).await;
        reconcile(&engine).await;
        assert_eq!(state(&engine, claimed.fence).await, public, "{behavior}");
        let id = claimed.fence.execution_id;
        let suspensions = engine.suspensions(id, None).await.expect("asked");
        let info = suspensions.expect("known").remove(0);
        let closed = info.close_reason.map(SuspensionCloseReason::as_str);
        assert_eq!(closed.unwrap_or_default(), reason);
        let token = &suspension.waitpoints[0].token;
        match behavior {
            TimeoutBehavior::Escalate => {
                assert!(info.escalated_at.is_some());
                let shown = engine.list_suspended(None, None, 10).await.expect("asked");
                assert_eq!(shown[0].blocking_reason, BlockingReason::PausedByOperator);
                reconcile(&engine).await;
                deliver(&engine, signal(token, "open")).await;
                let next = claim_one(&engine).await;
                assert_eq!(names(resumption(&next)), ["open"]);
            }
            TimeoutBehavior::AutoResumeWithTimeoutSignal => {
                let late = try_deliver(&engine, signal(token, "open")).await;
                let reason = WaitpointCloseReason::TimedOutAutoResume;
                assert_eq!(late, Err(SignalRefusal::WaitpointClosed { reason }));
                let next = claim_one(&engine).await;
                engine
                    .complete(complete(next.fence, ""))
                    .await
                    .expect("asked")
                    .expect("done");
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
                let seen = seen.expect("known").remove(0);
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
    reconcile(&engine).await;
    assert_eq!(state(&engine, claimed.fence).await, PublicState::Cancelled);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_resumes_closes_signals_and_makes_tokens() {
    let (database, engine) = setup().await;
    let (first, waitpoint) = put_down(&engine, ResumeCondition::OperatorOnly).await;
    let id = first.fence.execution_id;
    let operator = |name: &str, to| engine::Deliver {
        to: Addressee::Operator {
            operate: operate(id),
            waitpoint: to,
        },
        ..signal(&waitpoint.token, name)
    };
    let ignored = deliver(&engine, operator("please", WaitpointRef::Only)).await;
    assert_eq!(ignored.effect, SignalEffect::NoOp);
    let by_key = WaitpointRef::Key(waitpoint.key.clone());
    let token = engine
        .mint_waitpoint_token(
            operate(id),
            by_key.clone(),
            vec!["a".into()],
            TokenExpiry::InMs(60_000),
        )
        .await;
    let token = token.expect("asked").expect("minted");
    assert!(
        try_deliver(&engine, signal(&token.token, "b"))
            .await
            .is_err(),
        "not its name"
    );
    deliver(&engine, signal(&token.token, "a")).await;
    for _ in 0..2 {
        let closed = engine.close_waitpoint(operate(id), by_key.clone()).await;
        closed.expect("asked").expect("closed");
    }
    let late = try_deliver(&engine, operator("please", WaitpointRef::Id(waitpoint.id))).await;
    let reason = WaitpointCloseReason::ProactiveClose;
    assert_eq!(late, Err(SignalRefusal::WaitpointClosed { reason }));
    let none = try_deliver(&engine, operator("please", WaitpointRef::Only)).await;
    assert_eq!(none, Err(SignalRefusal::WaitpointNotFound));

    engine
        .resume(operate(id), Some(60_000))
        .await
        .expect("asked")
        .expect("resumed");
    assert_eq!(state(&engine, first.fence).await, PublicState::Delayed);
    let again = engine.resume(operate(id), None).await.expect("asked");
    assert_eq!(again.expect_err("once").code(), "execution_not_suspended");
    database.advance(Duration::from_secs(61)).await;
    reconcile(&engine).await;
    let second = claim_one(&engine).await;
    assert_eq!(
        resumption(&second).reason,
        SuspensionCloseReason::OperatorResume
    );
    let operations = engine.operations(id).await.expect("asked");
    let verbs: Vec<_> = operations.iter().map(|it| it.verb.as_str()).collect();
    assert_eq!(verbs, ["signal", "mint_token", "close_waitpoint", "resume"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waitpoint_that_stays_open_serves_the_next_suspension() {
    let (database, engine) = setup().await;
    let mut claimed = running(&engine).await;
    let inbox = waitpoint(&engine, claimed.fence, "inbox").await;
    for number in ["1", "2", "3"] {
        deliver(&engine, signal(&inbox.token, number)).await;
    }
    let any = || ResumeCondition::any_of_waitpoints(["inbox"]);
    let wish = |fence, retain| Suspend {
        resume_policy: ResumePolicy {
            close_waitpoint_on_resume: false,
            retain_signal_buffer_until_closed: retain,
            ..ResumePolicy::default()
        },
        ..suspend(fence, any())
    };
    // One message at a time, none lost and none twice.
    for number in ["1", "2", "3"] {
        let Ok(Suspended::AlreadySatisfied(went_on)) =
            try_suspend(&engine, wish(claimed.fence, true)).await
        else {
            panic!("{number} is there");
        };
        assert_eq!(names(&went_on), [number]);
    }
    suspended(&engine, wish(claimed.fence, false)).await;
    deliver(&engine, signal(&inbox.token, "4")).await;
    claimed = claim_one(&engine).await;
    assert_eq!(names(resumption(&claimed)), ["4"]);
    let after = deliver(&engine, signal(&inbox.token, "5")).await;
    assert_eq!(after.effect, SignalEffect::BufferedForPendingWaitpoint);
    let last = try_suspend(&engine, wish(claimed.fence, false)).await;
    let Ok(Suspended::AlreadySatisfied(went_on)) = last else {
        panic!("5 is there")
    };
    assert_eq!(names(&went_on), ["5"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_waitpoints_are_bound_and_each_is_needed() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let early = waitpoint(&engine, claimed.fence, "early").await;
    deliver(&engine, signal(&early.token, "x")).await;
    let wish = Suspend {
        waitpoints: vec![
            Binding::UsePending(early.id),
            Binding::Fresh {
                key: "late".into(),
                signal_names: vec!["x".into()],
            },
        ],
        ..suspend(
            claimed.fence,
            ResumeCondition::all_of_waitpoints(["early", "late"]),
        )
    };
    let suspension = suspended(&engine, wish).await;
    assert_eq!(suspension.waitpoints[0].id, early.id);
    let late = &suspension.waitpoints[1];
    let refused = try_deliver(&engine, signal(&late.token, "y")).await;
    assert_eq!(refused.expect_err("not its name").code(), "invalid_token");
    let done = deliver(&engine, signal(&late.token, "x")).await;
    assert_eq!(done.effect, SignalEffect::ResumeConditionSatisfied);
    let next = claim_one(&engine).await;
    assert_eq!(resumption(&next).signal_count, 2);
    assert_eq!(resumption(&next).signals[0].waitpoint_key, "early");
    let all = engine
        .waitpoints(next.fence.execution_id, None)
        .await
        .expect("asked");
    for seen in all.expect("known") {
        assert_eq!((seen.state, seen.signals), (WaitpointState::Closed, 1));
        assert_eq!(seen.token_fingerprint.len(), 16);
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waitpoint_nobody_suspends_on_expires() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let made = waitpoint(&engine, claimed.fence, "door").await;
    let pending = engine
        .pending_waitpoints(None, None, 10)
        .await
        .expect("asked");
    assert_eq!((pending.len(), pending[0].id), (1, made.id));
    // Not so far that the lease lapses: the waitpoint is moved alone.
    let mut connection = database.connection().await;
    let expire = "UPDATE waitpoint SET expires_at = clock_timestamp()";
    connection.execute(expire).await.expect("moved");
    let late = try_deliver(&engine, signal(&made.token, "open")).await;
    let reason = WaitpointCloseReason::NeverCommitted;
    assert_eq!(late, Err(SignalRefusal::WaitpointClosed { reason }));
    let wish = || Suspend {
        waitpoints: vec![Binding::UsePending(made.id)],
        ..suspend(claimed.fence, single("door", "open"))
    };
    let refused = try_suspend(&engine, wish()).await.expect_err("too late");
    assert_eq!(refused.code(), "pending_waitpoint_expired");
    reconcile(&engine).await;
    let refused = try_suspend(&engine, wish()).await.expect_err("gone");
    assert_eq!(refused.code(), "pending_waitpoint_expired");
    assert!(
        engine
            .pending_waitpoints(None, None, 10)
            .await
            .expect("asked")
            .is_empty()
    );
    let all = engine
        .waitpoints(claimed.fence.execution_id, None)
        .await
        .expect("asked");
    assert_eq!(all.expect("known")[0].state, WaitpointState::Expired);
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
                timeout: Some(SuspensionTimeout::At(time::OffsetDateTime::UNIX_EPOCH)),
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
    let answer = engine.complete(complete(fence, "")).await;
    answer.expect("asked").expect("done");
    let refused = try_suspend(&engine, base()).await.expect_err("over");
    assert_eq!(refused.code(), "execution_not_active");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_but_its_waitpoint() {
    let (_database, engine) = setup().await;
    let (first, waitpoint) = put_down(&engine, single("door", "open")).await;
    let (second, _) = put_down(&engine, single("door", "open")).await;
    let to = |execution_id, namespace: Option<&str>| engine::Deliver {
        to: Addressee::Token {
            token: waitpoint.token.reveal().to_owned(),
            execution_id,
            namespace: namespace.map(str::to_owned),
        },
        ..signal(&waitpoint.token, "open")
    };
    let (own, other) = (first.fence.execution_id, second.fence.execution_id);
    for wrong in [to(Some(other), None), to(None, Some("elsewhere"))] {
        let refused = try_deliver(&engine, wrong).await.expect_err("refused");
        assert_eq!(refused.code(), "invalid_token");
    }
    deliver(&engine, to(Some(own), Some("default"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_applied_once_whoever_delivers_it() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let (claimed, waitpoint) = put_down(&engine, sources("door", 2)).await;
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
    let kept = engine
        .signals(id, None, None, 256)
        .await
        .expect("asked")
        .expect("known");
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
async fn ten_thousand_early_signals_are_all_heard() {
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
    let Ok(Suspended::AlreadySatisfied(went_on)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(went_on.signal_count, 10_000);
    let mut seen = HashSet::new();
    let mut first = 0;
    loop {
        let page = engine
            .observe_signals(claimed.fence, first)
            .await
            .expect("asked");
        let page = page.expect("held");
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
                    reconcile(&other).await
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
            .suspensions(id, None)
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
            engine
                .complete(complete(next.fence, ""))
                .await
                .expect("asked")
                .expect("done");
        }
    }
    database.assert_invariants().await;
}

/// A wish to suspend and an early signal: it is buffered and satisfies at once, or
/// it is heard; never lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_meets_the_suspension_is_not_lost() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    for _ in 0..60 {
        let claimed = running(&engine).await;
        let made = waitpoint(&engine, claimed.fence, "door").await;
        let (answer, delivered) = futures::join!(
            try_suspend(&engine, suspend(claimed.fence, single("door", "open"))),
            deliver(&other, signal(&made.token, "open")),
        );
        match answer.expect("asked") {
            Suspended::AlreadySatisfied(_) => {
                assert_eq!(delivered.effect, SignalEffect::BufferedForPendingWaitpoint);
                engine
                    .complete(complete(claimed.fence, ""))
                    .await
                    .expect("asked")
                    .expect("done");
            }
            Suspended::Suspended(_) => {
                assert_eq!(delivered.effect, SignalEffect::ResumeConditionSatisfied);
                let next = claim_one(&engine).await;
                engine
                    .complete(complete(next.fence, ""))
                    .await
                    .expect("asked")
                    .expect("done");
            }
        }
    }
    database.assert_invariants().await;
}

async fn assert_gone(database: &Database, table: &str) {
    let rows = database
        .connection()
        .await
        .fetch_all(sqlx::AssertSqlSafe(format!("SELECT FROM {table}")))
        .await
        .expect("asked");
    assert_eq!(rows.len(), 0, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_retention_leaves_with_its_waitpoints() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.retention_ms = Some(60_000);
    engine
        .create(request)
        .await
        .expect("asked")
        .expect("created");
    let claimed = claim_one(&engine).await;
    let suspension = suspended(&engine, suspend(claimed.fence, single("door", "open"))).await;
    let waitpoint = &suspension.waitpoints[0];
    deliver(&engine, signal(&waitpoint.token, "open")).await;
    let next = claim_one(&engine).await;
    engine
        .complete(complete(next.fence, ""))
        .await
        .expect("asked")
        .expect("done");
    database.advance(Duration::from_secs(61)).await;
    reconcile(&engine).await;
    for table in ["execution", "suspension", "waitpoint", "signal"] {
        assert_gone(&database, table).await;
    }
    let late = try_deliver(&engine, signal(&waitpoint.token, "open")).await;
    assert_eq!(late.expect_err("gone").code(), "execution_not_found");
}
