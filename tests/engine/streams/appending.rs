//! Frames come back as they went in, and what may not be appended is refused by name.

use std::time::Duration;

use engine::Revoke;
use model::{FrameEncoding, FrameId, FrameMode, NewFrame};
use testkit::Answered;

use super::frames::{append, best_effort, frame, patch, read, refused, texts};
use crate::support::waiting::{running, single, suspend, suspended};
use crate::support::work::{claim_one, completed, create, created, operate, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_comes_back_as_it_went_in() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let all: Vec<u8> = (0..=255).collect();
    let first = append(&engine, fence, NewFrame::new("binary", all.clone())).await;
    let full = NewFrame {
        metadata: Some(r#"{"a": [1, "\u0000"]}"#.to_owned()),
        correlation_id: Some("call-7".to_owned()),
        source: Some("model".to_owned()),
        ts: Some("2030-01-02T03:04:05.678Z".parse().expect("a time")),
        encoding: Some(FrameEncoding::Base64),
        ..frame("text\0with a zero")
    };
    let second = append(&engine, fence, full.clone()).await;
    append(&engine, fence, patch(r#"{"words":1}"#)).await;
    let last = append(&engine, fence, best_effort("live", 60_000)).await;
    assert_eq!((first.frame_count, last.frame_count), (1, 4));
    assert_eq!(first.summary_version, None);

    let page = read(&engine, fence.execution_id, 0).await;
    assert_eq!((page.more, page.closed), (false, None));
    let [binary, told, summary, live] = page.frames.as_slice() else {
        panic!("four frames: {page:?}");
    };
    assert_eq!((binary.id, told.id), (first.frame_id, second.frame_id));
    assert_eq!(binary.payload, all);
    assert_eq!(binary.encoding, FrameEncoding::Base64);
    assert_eq!(
        (binary.frame_type.as_str(), binary.source.as_str()),
        ("binary", "worker")
    );
    let ms = binary.ts.unix_timestamp_nanos() / 1_000_000;
    assert_eq!(ms, i128::from(binary.id.ms), "the time of its id");
    assert_eq!(told.payload, full.payload);
    assert_eq!(told.encoding, FrameEncoding::Base64, "as its writer says");
    assert_eq!(told.metadata, full.metadata);
    assert_eq!(told.correlation_id, full.correlation_id);
    assert_eq!(Some(&told.source), full.source.as_ref());
    assert_eq!(told.ts, full.ts.expect("given").utc());
    assert_eq!(
        (summary.mode, summary.summary_version),
        (FrameMode::DurableSummary, Some(1))
    );
    assert_eq!(
        (live.mode, live.ttl_ms),
        (FrameMode::BestEffort, Some(60_000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_small_frames_of_one_stream_go_together() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let large = NewFrame {
        max_payload_bytes: Some(1 << 20),
        ..NewFrame::new("blob", vec![7; 1 << 20])
    };
    let calls = (0..40).map(|n| {
        let new = match n % 8 {
            0 => large.clone(),
            _ => frame(&format!("{n}")),
        };
        append(&engine, fence, new)
    });
    let appended = futures::future::join_all(calls).await;
    let mut counts: Vec<_> = appended.iter().map(|it| it.frame_count).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=40).collect::<Vec<_>>(), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_and_an_ended_attempt_append_nothing() {
    let (database, engine) = setup().await;
    let code = async |fence| {
        refused(&engine, fence, frame("late"))
            .await
            .code()
            .to_owned()
    };
    // Ended by its holder.
    let done = running(&engine).await.fence;
    append(&engine, done, frame("in time")).await;
    completed(&engine, done).await;
    assert_eq!(code(done).await, "stream_closed");
    assert_eq!(
        texts(&read(&engine, done.execution_id, 0).await),
        ["in time"]
    );
    // Suspended: it does not run.
    let waits = running(&engine).await.fence;
    suspended(&engine, suspend(waits, single("door", "open"))).await;
    assert_eq!(code(waits).await, "stream_closed");
    // Expired, before and after the sweep.
    let expired = running(&engine).await.fence;
    database.advance(Duration::from_secs(31)).await;
    assert_eq!(code(expired).await, "stale_owner_cannot_append");
    engine.reconcile().await.expect("swept");
    assert_eq!(code(expired).await, "stale_owner_cannot_append");
    // Another lease is held.
    let held = claim_one(&engine).await.fence;
    assert_eq!(held.execution_id, expired.execution_id);
    assert_eq!(code(expired).await, "stale_owner_cannot_append");
    append(&engine, held, frame("by the owner")).await;
    // Revoked.
    let revoke = Revoke {
        operate: operate(held.execution_id),
        expected_lease_id: None,
    };
    engine.revoke(revoke).await.accepted();
    assert_eq!(code(held).await, "stale_owner_cannot_append");
    // Nothing there.
    let mut nowhere = held;
    nowhere.execution_id = created(&engine, create("x")).await;
    assert_eq!(code(nowhere).await, "stream_closed", "it waits");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_calls_do_not_hold_up_those_of_the_owner() {
    let (database, engine) = setup().await;
    let old = running(&engine).await.fence;
    database.advance(Duration::from_secs(31)).await;
    engine.reconcile().await.expect("swept");
    let held = claim_one(&engine).await.fence;
    let calls = (0..60).map(|n| {
        let engine = &engine;
        let mut fence = if n % 2 == 0 { held } else { old };
        // Leases that never were.
        if n % 6 == 5 {
            fence.epoch = 100 + n;
        }
        async move { engine.append_frame(fence, frame("x")).await.answered() }
    });
    let answers = futures::future::join_all(calls).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(_) => assert_eq!(n % 2, 0),
            Err(refusal) => {
                assert_eq!(n % 2, 1, "{refusal}");
                assert_eq!(refusal.code(), "stale_owner_cannot_append");
            }
        }
    }
    assert_eq!(
        read(&engine, held.execution_id, held.attempt)
            .await
            .frames
            .len(),
        30
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bound_is_refused_by_its_name() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let deep = "{\"a\":".repeat(17) + "1" + &"}".repeat(17);
    for (new, code) in [
        (NewFrame::new("", "x"), "invalid_frame_type"),
        (
            NewFrame::new("x", vec![0; 65_537]),
            "retention_limit_exceeded",
        ),
        (patch(&deep), "patch_depth_exceeded"),
        (patch("[]"), "invalid_input"),
        (best_effort("x", 0), "invalid_input"),
    ] {
        assert_eq!(refused(&engine, fence, new).await.code(), code);
    }
    let id = created(&engine, create("x")).await;
    let mut unknown = fence;
    unknown.execution_id = model::ExecutionId::from_parts(id.partition(), 1, 1);
    assert_eq!(
        refused(&engine, unknown, frame("x")).await.code(),
        "execution_not_found"
    );
    let page = read(&engine, fence.execution_id, 0).await;
    assert_eq!((page.frames.len(), page.last()), (0, None::<FrameId>));
}
