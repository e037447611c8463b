//! Requests to suspend: repeats find the suspension of the first, and each refusal has its
//! name.

use std::time::Duration;

use engine::{Binding, Suspend, Suspended, SuspensionTimeout, WaitpointRef};
use model::{
    FailureClass, Fence, Moment, PublicState, ResumeCondition, SuspensionCloseReason,
    TimeoutBehavior,
};
use testkit::Answered;
use time::OffsetDateTime;

use crate::support::waiting::{
    deliver, names, resumption, running, signal, single, state, suspend, suspended, try_suspend,
    waitpoint,
};
use crate::support::work::{claim_one, completed, fail, operate, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_suspension_request_finds_its_suspension() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let request = || suspend(claimed.fence, single("door", "open"));
    let first = suspended(&engine, request()).await;
    let again = suspended(&engine, request()).await;
    assert_eq!(first.id, again.id);
    assert_eq!(first.waitpoints[0].id, again.waitpoints[0].id);
    deliver(&engine, signal(&again.waitpoints[0].token, "open")).await;
    let late = suspended(&engine, request()).await;
    assert_eq!(late.id, first.id);
    let next = claim_one(&engine).await;
    let stale = try_suspend(&engine, request()).await;
    assert!(stale.is_ok(), "its own lease ended so");
    let another = suspend(claimed.fence, single("window", "open"));
    let refused = try_suspend(&engine, another).await;
    assert_eq!(refused.expect_err("another request").code(), "stale_lease");
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
async fn a_suspension_with_a_key_may_be_requested_in_every_call_and_is_waited_for_once() {
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
        let Suspended::AlreadySatisfied(engine::Satisfied {
            resumption: resumed,
            ..
        }) = try_suspend(&engine, named(fence)).await.expect("known")
        else {
            panic!("it waits again");
        };
        assert_eq!(resumed.suspension_id, suspension.id);
        assert_eq!(names(&resumed), ["open"]);
    }
    // A failure and a retry later it is still answered.
    let answer = engine
        .fail(fail(second.fence, FailureClass::Transient))
        .await;
    answer.accepted();
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
    answer.accepted();
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
            "payload_too_large",
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
    for (request, code, part) in cases {
        let refused = try_suspend(&engine, request).await.expect_err(part);
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
async fn a_suspension_requested_again_after_its_timeout_is_not_a_new_one() {
    let (database, engine) = setup().await;
    let first = running(&engine).await;
    let until = crate::support::work::now(&database).await + Duration::from_secs(3);
    let request = |fence, key: Option<&str>| {
        let mut suspend = suspend(fence, single("door", "open"));
        suspend.timeout = Some(SuspensionTimeout::At(Moment::new(until).expect("a time")));
        suspend.timeout_behavior = Some(TimeoutBehavior::AutoResumeWithTimeoutSignal);
        suspend.idempotency_key = key.map(str::to_owned);
        suspend
    };
    let begun = suspended(&engine, request(first.fence, Some("once"))).await;
    database.advance(Duration::from_secs(4)).await;
    engine.reconcile().await.expect("swept");
    let second = claim_one(&engine).await;
    testkit::eventually("the time limit has passed", async || {
        (crate::support::work::now(&database).await > until).then_some(())
    })
    .await;
    // Its handler runs from its beginning again.
    let again = try_suspend(&engine, request(second.fence, Some("once"))).await;
    let Ok(Suspended::AlreadySatisfied(engine::Satisfied { resumption, .. })) = again else {
        panic!("it is over: {again:?}");
    };
    assert_eq!(
        (resumption.suspension_id, resumption.reason),
        (begun.id, SuspensionCloseReason::TimedOutAutoResume)
    );
    // The one whose answer was lost.
    let repeated = suspended(&engine, request(first.fence, Some("once"))).await;
    assert_eq!(
        (repeated.id, repeated.timeout_at),
        (begun.id, begun.timeout_at)
    );
    for key in [None, Some("another")] {
        let refused = try_suspend(&engine, request(second.fence, key)).await;
        let refused = refused.expect_err("there is nothing to wait for");
        assert!(
            refused.to_string().contains("timeout_at_in_past"),
            "{refused}"
        );
    }
    database.assert_invariants().await;
}
