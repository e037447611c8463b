//! Cancelling a flow: which members it reaches, and what a repeat is told.

use std::time::Duration;

use engine::{CancelFlow, Engine};
use model::{FlowCancellationPolicy, FlowId, FlowRefusal, FlowStatus};
use testkit::Answered;

use crate::support::flows::{claimed, graph, grow, info, made, settle, shown, step, succeed};
use crate::support::work::setup;

fn cancel(id: FlowId, policy: Option<FlowCancellationPolicy>, wait: bool) -> CancelFlow {
    CancelFlow {
        id,
        namespace: None,
        reason: Some("no longer needed".to_owned()),
        policy,
        actor: "alice".to_owned(),
        wait: wait.then_some(Duration::from_secs(20)),
    }
}

/// Makes a flow of which one member has ended, one runs, one is ready and one waits.
async fn begun(engine: &Engine) -> (FlowId, engine::Claimed) {
    let id = made(engine, graph("done next run", "done>next")).await;
    let mut leases = claimed(engine).await;
    succeed(engine, &leases.remove("done").expect("claimed")).await;
    settle(engine).await;
    let more = graph("held", "next>held run*held");
    engine.grow_flow(grow(id, more)).await.accepted();
    let then = "done completed, held waiting_children, next waiting, run active";
    assert_eq!(shown(engine, id).await, then);
    (id, leases.remove("run").expect("claimed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_which_members_are_cancelled() {
    use FlowCancellationPolicy::{CancelAll, CancelFlowOnly, CancelPending};
    let (database, engine) = setup().await;
    for (policy, then) in [
        (
            None,
            "done completed, held cancelled, next cancelled, run cancelled",
        ),
        (
            Some(CancelAll),
            "done completed, held cancelled, next cancelled, run cancelled",
        ),
        (
            Some(CancelPending),
            "done completed, held cancelled, next cancelled, run active",
        ),
        (
            Some(CancelFlowOnly),
            "done completed, held waiting_children, next waiting, run active",
        ),
    ] {
        let (id, running) = begun(&engine).await;
        let cancelled = engine
            .cancel_flow(cancel(id, policy, true))
            .await
            .accepted();
        assert!(
            !cancelled.already && cancelled.open.is_empty(),
            "{cancelled:?}"
        );
        assert_eq!(shown(&engine, id).await, then);
        let info = info(&engine, id).await;
        assert_eq!(info.status, FlowStatus::Cancelled);
        assert_eq!(info.cancelled_by.as_deref(), Some("alice"));
        let again = engine
            .cancel_flow(cancel(id, Some(CancelAll), false))
            .await
            .accepted();
        assert!(again.already);
        assert_eq!(
            again.policy,
            policy.unwrap_or_default(),
            "the one that is stored"
        );
        assert_eq!(again.members.len(), cancelled.members.len());
        let more = engine.grow_flow(grow(id, graph("more", ""))).await;
        let refusal = more.expect_err("refused").refusal().expect("no fault");
        assert_eq!(refusal, FlowRefusal::AlreadyTerminal);
        settle(&engine).await;
        if policy.is_some_and(|policy| policy != CancelAll) {
            succeed(&engine, &running).await;
            settle(&engine).await;
        }
        if policy == Some(CancelFlowOnly) {
            // Its members go on, one after the other.
            assert_eq!(step(&engine, &[]).await, "next");
            assert_eq!(step(&engine, &[]).await, "held");
        }
        assert_eq!(self::info(&engine, id).await.ended_count, 4);
        database.assert_invariants().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_host_did_not_cancel_a_sweep_does() {
    let (database, engine) = setup().await;
    let names: Vec<String> = (0..700).map(|n| format!("m{n}")).collect();
    let id = made(&engine, graph(&names.join(" "), "m0>m1 m1*m2")).await;
    // As the statement leaves it if its host ends right afterwards.
    let mut connection = database.connection().await;
    for statement in [
        "UPDATE flow SET version = version + 1, cancelled_at = clock_timestamp(),
                         cancel_policy = 'cancel_all'",
        "INSERT INTO flow_cancel SELECT partition, flow_id, execution_id, 'gone' FROM flow_member",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .expect("written");
    }
    settle(&engine).await;
    let counters = engine.flow_counters(id).await.answered();
    assert_eq!((counters.cancelled, counters.total), (700, 700));
    database.assert_invariants().await;
}
