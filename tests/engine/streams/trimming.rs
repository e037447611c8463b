//! Each mode is trimmed by its own length, exactly and at once.

use std::time::Duration;

use engine::Engine;
use model::{Fence, FrameMode, NewFrame};
use testkit::{Answered, eventually};

use super::frames::{append, best_effort, frame, patch, read, rows, texts};
use crate::support::waiting::running;
use crate::support::work::{claim_one, create, setup};

/// Returns how many frames of each mode can be read.
async fn kept(engine: &Engine, fence: Fence) -> [usize; 3] {
    let page = read(engine, fence.execution_id, fence.attempt).await;
    [
        FrameMode::Durable,
        FrameMode::DurableSummary,
        FrameMode::BestEffort,
    ]
    .map(|mode| {
        page.frames
            .iter()
            .filter(|frame| frame.mode == mode)
            .count()
    })
}

fn keeping(frame: NewFrame, maxlen: u32) -> NewFrame {
    NewFrame {
        retention_maxlen: Some(maxlen),
        ..frame
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_trims_one_mode_leaves_the_others_alone() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    for n in 0..10 {
        append(&engine, fence, frame(&n.to_string())).await;
        append(&engine, fence, patch("{\"a\":1}")).await;
        append(&engine, fence, best_effort("x", 60_000)).await;
    }
    assert_eq!(kept(&engine, fence).await, [10, 10, 10]);
    append(&engine, fence, keeping(best_effort("x", 60_000), 3)).await;
    assert_eq!(kept(&engine, fence).await, [10, 10, 3]);
    append(&engine, fence, keeping(patch("{\"a\":2}"), 4)).await;
    assert_eq!(kept(&engine, fence).await, [10, 4, 3]);
    append(&engine, fence, keeping(frame("last"), 2)).await;
    assert_eq!(kept(&engine, fence).await, [2, 4, 3]);
    let last = append(&engine, fence, keeping(frame("all"), 1)).await;
    assert_eq!(kept(&engine, fence).await, [1, 4, 3]);
    assert_eq!(last.frame_count, 34, "what was trimmed counts");
    // What is gone does not come back when a later frame keeps more.
    append(&engine, fence, keeping(frame("more"), 0)).await;
    assert_eq!(kept(&engine, fence).await, [2, 4, 3]);
    let page = read(&engine, fence.execution_id, 0).await;
    let durable = page
        .frames
        .iter()
        .filter(|it| it.mode == FrameMode::Durable);
    let texts: Vec<_> = durable
        .map(|it| String::from_utf8_lossy(&it.payload))
        .collect();
    assert_eq!(texts, ["all", "more"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_one_batch_are_trimmed_one_after_the_other() {
    let (database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let calls = (0..3000).map(|n| {
        let maxlen = if n % 3 == 0 { 5 } else { 7 };
        append(&engine, fence, keeping(frame(&n.to_string()), maxlen))
    });
    futures::future::join_all(calls).await;
    let left = kept(&engine, fence).await[0];
    assert!((5..=7).contains(&left), "{left}");
    append(&engine, fence, keeping(frame("x"), 5)).await;
    assert_eq!(kept(&engine, fence).await, [5, 0, 0]);
    // Rows are removed behind it, in chunks.
    for _ in 0..3 {
        append(&engine, fence, keeping(frame("x"), 5)).await;
    }
    let stored = rows(&database, "SELECT count(*) FROM stream_frame").await;
    assert!(stored < 5 + 2 * 256, "{stored}");
    let page = read(&engine, fence.execution_id, 0).await;
    assert_eq!(texts(&page).len(), 5);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_what_frames_do_not() {
    let (_database, engine) = setup().await;
    let mut limited = create("x");
    limited.policy.stream_policy.retention_maxlen = 3;
    engine.create(limited).await.accepted();
    let fence = claim_one(&engine).await.fence;
    for n in 0..10 {
        append(&engine, fence, frame(&n.to_string())).await;
        append(&engine, fence, patch("{\"a\":1}")).await;
    }
    assert_eq!(kept(&engine, fence).await, [3, 10, 0]);
    append(&engine, fence, keeping(frame("x"), 0)).await;
    append(&engine, fence, keeping(frame("y"), 0)).await;
    assert_eq!(kept(&engine, fence).await[0], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_best_effort_are_read_for_their_time_and_then_removed() {
    let (database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    append(&engine, fence, frame("durable")).await;
    for n in 0..5 {
        append(&engine, fence, best_effort(&n.to_string(), 300)).await;
    }
    eventually("they have expired", async || {
        (kept(&engine, fence).await == [1, 0, 0]).then_some(())
    })
    .await;
    assert_eq!(
        rows(&database, "SELECT count(*) FROM stream_frame").await,
        6
    );
    database.advance(Duration::from_secs(1)).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(
        rows(&database, "SELECT count(*) FROM stream_frame").await,
        1
    );
    let due = rows(
        &database,
        "SELECT count(*) FROM stream WHERE due_at IS NOT NULL",
    )
    .await;
    assert_eq!(due, 0, "nothing is left to look for");
    append(&engine, fence, best_effort("again", 60_000)).await;
    assert_eq!(kept(&engine, fence).await, [1, 0, 1]);
    database.assert_invariants().await;
}
