//! Waitpoints on a real database: who may open, use and close them, and how long they
//! last.

use std::time::Duration;

use engine::{
    Addressee, Binding, SendSignal, Suspend, Suspended, WaitpointRef, WaitpointTokenExpiry,
};
use model::{
    Limits, PublicState, ResumeCondition, ResumePolicy, SignalEffect, SignalRefusal,
    SuspendRefusal, SuspensionCloseReason, WaitpointCloseReason, WaitpointState,
};
use sqlx::Executor as _;
use testkit::{Answered, Database};

use crate::support::lists;
use crate::support::waiting::{
    deliver, names, resumption, running, signal, single, state, suspend, suspended,
    suspended_execution, try_deliver, try_suspend, waitpoint,
};
use crate::support::work::{claim_one, completed, create, operate, setup};

#[tokio::test(flavor = "multi_thread")]
async fn several_waitpoints_are_bound_and_each_is_needed() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let early = waitpoint(&engine, claimed.fence, "early").await;
    deliver(&engine, signal(&early.token, "x")).await;
    let request = Suspend {
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
    let suspension = suspended(&engine, request).await;
    assert_eq!(suspension.waitpoints[0].id, early.id);
    let late = &suspension.waitpoints[1];
    let refused = try_deliver(&engine, signal(&late.token, "y")).await;
    assert_eq!(refused.expect_err("not its name").code(), "invalid_token");
    let done = deliver(&engine, signal(&late.token, "x")).await;
    assert_eq!(done.effect, SignalEffect::ResumeConditionSatisfied);
    let next = claim_one(&engine).await;
    assert_eq!(resumption(&next).signal_count, 2);
    assert_eq!(resumption(&next).signals[0].waitpoint_key, "early");
    for seen in lists::waitpoints(&engine, next.fence.execution_id).await {
        assert_eq!((seen.state, seen.signals), (WaitpointState::Closed, 1));
        assert_eq!(seen.token_fingerprint.len(), 16);
    }
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
    let request = |fence, retain| Suspend {
        resume_policy: ResumePolicy {
            close_waitpoint_on_resume: false,
            retain_signal_buffer_until_closed: retain,
            ..ResumePolicy::default()
        },
        ..suspend(fence, any())
    };
    // One message at a time, none lost and none twice.
    for number in ["1", "2", "3"] {
        let Ok(Suspended::AlreadySatisfied(engine::Satisfied {
            resumption: resumed,
            ..
        })) = try_suspend(&engine, request(claimed.fence, true)).await
        else {
            panic!("{number} is there");
        };
        assert_eq!(names(&resumed), [number]);
    }
    suspended(&engine, request(claimed.fence, false)).await;
    deliver(&engine, signal(&inbox.token, "4")).await;
    claimed = claim_one(&engine).await;
    assert_eq!(names(resumption(&claimed)), ["4"]);
    let after = deliver(&engine, signal(&inbox.token, "5")).await;
    assert_eq!(after.effect, SignalEffect::BufferedForPendingWaitpoint);
    let last = try_suspend(&engine, request(claimed.fence, false)).await;
    let Ok(Suspended::AlreadySatisfied(engine::Satisfied {
        resumption: resumed,
        ..
    })) = last
    else {
        panic!("5 is there")
    };
    assert_eq!(names(&resumed), ["5"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waitpoint_that_no_suspension_uses_expires() {
    let (database, engine) = setup().await;
    let claimed = running(&engine).await;
    let made = waitpoint(&engine, claimed.fence, "door").await;
    let pending = engine.pending_waitpoints(None, None, 10).await.answered();
    assert_eq!((pending.len(), pending[0].id), (1, made.id));
    // Only the waitpoint is moved, so that the lease does not expire.
    let mut connection = database.connection().await;
    let expire = "UPDATE waitpoint SET expires_at = clock_timestamp()";
    connection.execute(expire).await.expect("moved");
    let late = try_deliver(&engine, signal(&made.token, "open")).await;
    let reason = WaitpointCloseReason::NeverCommitted;
    assert_eq!(late, Err(SignalRefusal::WaitpointClosed { reason }));
    let request = || Suspend {
        waitpoints: vec![Binding::UsePending(made.id)],
        ..suspend(claimed.fence, single("door", "open"))
    };
    let refused = try_suspend(&engine, request()).await.expect_err("too late");
    assert_eq!(refused.code(), "pending_waitpoint_expired");
    engine.reconcile().await.expect("swept");
    let refused = try_suspend(&engine, request()).await.expect_err("gone");
    assert_eq!(refused.code(), "pending_waitpoint_expired");
    assert!(
        engine
            .pending_waitpoints(None, None, 10)
            .await
            .answered()
            .is_empty()
    );
    let all = lists::waitpoints(&engine, claimed.fence.execution_id).await;
    assert_eq!(all[0].state, WaitpointState::Expired);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_but_its_waitpoint() {
    let (_database, engine) = setup().await;
    let (first, waitpoint) = suspended_execution(&engine, single("door", "open")).await;
    let (second, _) = suspended_execution(&engine, single("door", "open")).await;
    let to = |execution_id, namespace: Option<&str>| SendSignal {
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
async fn an_operator_resumes_closes_signals_and_makes_tokens() {
    let (database, engine) = setup().await;
    let (first, waitpoint) = suspended_execution(&engine, ResumeCondition::OperatorOnly).await;
    let id = first.fence.execution_id;
    let operator = |name: &str, to| SendSignal {
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
            WaitpointTokenExpiry::InMs(60_000),
        )
        .await;
    let token = token.accepted();
    assert!(
        try_deliver(&engine, signal(&token.token, "b"))
            .await
            .is_err(),
        "not its name"
    );
    deliver(&engine, signal(&token.token, "a")).await;
    for _ in 0..2 {
        let closed = engine.close_waitpoint(operate(id), by_key.clone()).await;
        closed.accepted();
    }
    let late = try_deliver(&engine, operator("please", WaitpointRef::Id(waitpoint.id))).await;
    let reason = WaitpointCloseReason::ProactiveClose;
    assert_eq!(late, Err(SignalRefusal::WaitpointClosed { reason }));
    let none = try_deliver(&engine, operator("please", WaitpointRef::Only)).await;
    assert_eq!(none, Err(SignalRefusal::WaitpointNotFound));

    engine.resume(operate(id), Some(60_000)).await.accepted();
    assert_eq!(state(&engine, first.fence).await, PublicState::Delayed);
    let again = engine.resume(operate(id), None).await;
    assert_eq!(again.refused().code(), "execution_not_suspended");
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    let second = claim_one(&engine).await;
    assert_eq!(
        resumption(&second).reason,
        SuspensionCloseReason::OperatorResume
    );
    let operations = lists::operations(&engine, id).await;
    let verbs: Vec<_> = operations.iter().map(|it| it.verb.as_str()).collect();
    assert_eq!(verbs, ["signal", "mint_token", "close_waitpoint", "resume"]);
    database.assert_invariants().await;
}

async fn assert_gone(database: &Database, table: &str) {
    let rows = database
        .connection()
        .await
        .fetch_all(sqlx::AssertSqlSafe(format!("SELECT FROM {table}")))
        .await
        .expect("the database answers");
    assert_eq!(rows.len(), 0, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_past_its_retention_is_removed_with_its_waitpoints() {
    let (database, engine) = setup().await;
    let mut request = create("x");
    request.policy.retention_ms = Some(60_000);
    engine.create(request).await.accepted();
    let claimed = claim_one(&engine).await;
    let suspension = suspended(&engine, suspend(claimed.fence, single("door", "open"))).await;
    let waitpoint = &suspension.waitpoints[0];
    deliver(&engine, signal(&waitpoint.token, "open")).await;
    let next = claim_one(&engine).await;
    completed(&engine, next.fence).await;
    database.advance(Duration::from_secs(61)).await;
    engine.reconcile().await.expect("swept");
    for table in ["execution", "suspension", "waitpoint", "signal"] {
        assert_gone(&database, table).await;
    }
    let late = try_deliver(&engine, signal(&waitpoint.token, "open")).await;
    assert_eq!(late.expect_err("gone").code(), "execution_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_waitpoints_holds_under_concurrent_creates() {
    let (database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let max = Limits::WAITPOINTS_OPEN_MAX;
    for number in 0..max {
        waitpoint(&engine, fence, &number.to_string()).await;
    }
    let request = || suspend(fence, single("door", "open"));
    for _ in 0..2 {
        let refused = try_suspend(&engine, request()).await.expect_err("full");
        assert_eq!(refused, SuspendRefusal::WaitpointLimitExceeded { max });
    }
    let first = WaitpointRef::Key("0".to_owned());
    let answer = engine
        .close_waitpoint(operate(fence.execution_id), first)
        .await;
    answer.accepted();
    suspended(&engine, request()).await;
    database.assert_invariants().await;
}
