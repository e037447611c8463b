//! How each end of an attempt closes its stream, and that a pause does not.

use std::time::{Duration, Instant};

use engine::{Cancel, Delay, Due, Engine, Revoke, SuspensionTimeout};
use model::{CancelSource, ExecutionId, FailureClass, Fence, TimeoutBehavior};
use testkit::{Answered, Database};

use super::frames::{after, append, frame, read, tail, texts, why};
use crate::support::flows;
use crate::support::waiting::{deliver, running, signal, single, suspend, suspended};
use crate::support::work::{claim_one, complete, completed, create, created, fail, operate, setup};

fn cancel(id: ExecutionId) -> Cancel {
    Cancel {
        id,
        namespace: None,
        reason: None,
        source: CancelSource::OperatorOverride,
        actor: Some("alice".to_owned()),
    }
}

/// Ends an attempt that has one frame, and returns why its stream is closed: the tail that
/// waits is told at once, and a read says the same.
async fn closes<F: Future<Output = ()>>(
    (database, engine): &(Database, Engine),
    fence: Fence,
    end: impl FnOnce(Fence) -> F,
) -> &'static str {
    let last = append(engine, fence, frame("one")).await.frame_id;
    let request = after(fence.execution_id, fence.attempt, last);
    let tailing = {
        let engine = engine.clone();
        tokio::spawn(async move { tail(&engine, &request).await })
    };
    // Until it polls rarely, so that only a wake-up tells it at once.
    tokio::time::sleep(Duration::from_millis(720)).await;
    end(fence).await;
    let ended = Instant::now();
    let page = tailing.await.expect("told");
    let took = ended.elapsed();
    assert!(took < Duration::from_millis(300), "{took:?}");
    assert_eq!(page.frames.len(), 0);
    let whole = read(engine, fence.execution_id, fence.attempt).await;
    assert_eq!(texts(&whole), ["one"]);
    assert_eq!(whole.closed, page.closed);
    database.assert_invariants().await;
    why(&page).expect("closed")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_closes_the_stream_with_its_reason() {
    let both = setup().await;
    let (database, engine) = &both;
    let next = async || running(engine).await.fence;

    let reason = closes(&both, next().await, async |it| completed(engine, it).await).await;
    assert_eq!(reason, "attempt_success");

    let failed = async |it| {
        engine
            .fail(fail(it, FailureClass::Permanent))
            .await
            .accepted();
    };
    assert_eq!(closes(&both, next().await, failed).await, "attempt_failure");

    let retried = async |it| {
        engine
            .fail(fail(it, FailureClass::Transient))
            .await
            .accepted();
    };
    let fence = next().await;
    assert_eq!(closes(&both, fence, retried).await, "attempt_failure");
    engine.cancel(cancel(fence.execution_id)).await.accepted();
    let after_all = read(engine, fence.execution_id, 0).await;
    assert_eq!(
        why(&after_all),
        Some("attempt_failure"),
        "as it ended first"
    );

    let cancelled = async |it: Fence| {
        engine.cancel(cancel(it.execution_id)).await.accepted();
    };
    assert_eq!(
        closes(&both, next().await, cancelled).await,
        "attempt_cancelled"
    );

    let released = async |it| {
        engine.release(it, Default::default()).await.accepted();
    };
    assert_eq!(
        closes(&both, next().await, released).await,
        "attempt_interrupted"
    );
    completed(engine, claim_one(engine).await.fence).await;

    let revoked = async |it: Fence| {
        let operate = operate(it.execution_id);
        let expected_lease_id = None;
        engine
            .revoke(Revoke {
                operate,
                expected_lease_id,
            })
            .await
            .accepted();
    };
    assert_eq!(
        closes(&both, next().await, revoked).await,
        "attempt_interrupted"
    );
    completed(engine, claim_one(engine).await.fence).await;

    let lost = async |_| {
        database.advance(Duration::from_secs(31)).await;
        engine.reconcile().await.expect("swept");
    };
    assert_eq!(closes(&both, next().await, lost).await, "lease_expired");
    completed(engine, claim_one(engine).await.fence).await;

    let mut limited = create("x");
    limited.policy.timeout_policy.execution_deadline_ms = Some(1000);
    created(engine, limited).await;
    let fence = claim_one(engine).await.fence;
    let late = async |_| {
        database.advance(Duration::from_secs(2)).await;
        engine.reconcile().await.expect("swept");
    };
    assert_eq!(closes(&both, fence, late).await, "expired");

    let mut limited = create("x");
    limited.policy.timeout_policy.attempt_timeout_ms = Some(1000);
    created(engine, limited).await;
    let fence = claim_one(engine).await.fence;
    assert_eq!(closes(&both, fence, late).await, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_suspended_execution_closes_its_stream() {
    let both = setup().await;
    let (_, engine) = &both;
    let waits = async |timeout: Option<u64>, behavior| {
        let fence = running(engine).await.fence;
        append(engine, fence, frame("zero")).await;
        let mut request = suspend(fence, single("door", "open"));
        request.timeout = timeout.map(SuspensionTimeout::InMs);
        request.timeout_behavior = behavior;
        suspended(engine, request).await;
        let open = read(engine, fence.execution_id, 0).await;
        assert_eq!(why(&open), None, "a suspension closes nothing");
        fence.execution_id
    };
    let reason = async |id| why(&read(engine, id, 0).await);

    for behavior in [
        TimeoutBehavior::Fail,
        TimeoutBehavior::Cancel,
        TimeoutBehavior::Expire,
    ] {
        // The limit that was recorded is compared with the time of the end, so it passes.
        let id = waits(Some(200), Some(behavior)).await;
        let last = read(engine, id, 0).await.last().expect("a frame");
        let (other, request) = (engine.clone(), after(id, 0, last));
        let tailing = tokio::spawn(async move { tail(&other, &request).await });
        testkit::eventually("its time limit passes", async || {
            engine.reconcile().await.expect("swept");
            reason(id).await
        })
        .await;
        let page = tailing.await.expect("told");
        assert_eq!(why(&page), Some("suspension_timeout"), "{behavior}");
        assert_eq!(reason(id).await, Some("suspension_timeout"), "{behavior}");
    }
    let id = waits(None, None).await;
    engine.cancel(cancel(id)).await.accepted();
    assert_eq!(reason(id).await, Some("attempt_cancelled"));
    // Replayed, the attempt is over all the same.
    engine.replay(operate(id)).await.accepted();
    assert_eq!(reason(id).await, Some("attempt_interrupted"));
    completed(engine, claim_one(engine).await.fence).await;
    assert_eq!(reason(id).await, Some("attempt_interrupted"));
    assert_eq!(why(&read(engine, id, 1).await), Some("attempt_success"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_closes_nothing_and_the_attempt_continues_its_stream() {
    let (database, engine) = setup().await;
    let mut fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let mut wanted = Vec::new();
    for step in ["delay", "children", "suspend"] {
        append(&engine, fence, frame(step)).await;
        wanted.push(step.to_owned());
        match step {
            "delay" => {
                let due = Due::InMs(0);
                let report = Default::default();
                engine.delay(Delay { fence, due, report }).await.accepted();
                engine.reconcile().await.expect("swept");
            }
            "children" => {
                flows::park_for_child(&engine, fence).await;
                engine.unblock(operate(id), None).await.accepted();
            }
            _ => {
                let mut suspension = suspended(&engine, suspend(fence, single("d", "o"))).await;
                let door = suspension.waitpoints.remove(0);
                let page = read(&engine, id, 0).await;
                assert_eq!((texts(&page), page.closed), (wanted.clone(), None));
                deliver(&engine, signal(&door.token, "o")).await;
            }
        }
        let page = read(&engine, id, 0).await;
        assert_eq!(
            (texts(&page), page.closed),
            (wanted.clone(), None),
            "{step}"
        );
        fence = claim_one(&engine).await.fence;
        assert_eq!(fence.attempt, 0, "it resumes");
    }
    append(&engine, fence, frame("last")).await;
    wanted.push("last".to_owned());
    engine.complete(complete(fence, "done")).await.accepted();
    let page = read(&engine, id, 0).await;
    assert_eq!(
        (texts(&page), why(&page)),
        (wanted, Some("attempt_success"))
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_never_made_is_not_found() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let coming = read(&engine, id, 1).await;
    assert_eq!(
        (coming.frames.len(), coming.closed),
        (0, None),
        "it may be made"
    );
    let silent = read(&engine, id, 0).await;
    assert_eq!((silent.frames.len(), silent.closed), (0, None));
    let tailing = {
        let (engine, request) = (engine.clone(), after(id, 1, model::FrameId::ZERO));
        tokio::spawn(async move { engine.tail_stream(&request).await.refused() })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    completed(&engine, fence).await;
    assert_eq!(tailing.await.expect("told").code(), "attempt_not_found");
    assert_eq!(
        why(&read(&engine, id, 0).await),
        Some("attempt_success"),
        "without a frame"
    );
}
