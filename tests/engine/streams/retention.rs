//! Streams leave when their time is over, and with their execution.

use std::time::Duration;

use engine::{Create, Engine, Settings};
use model::{ExecutionId, NewFrame, Partition, Retention};
use testkit::{Answered, Database};

use super::frames::{after, append, best_effort, frame, patch, read, rows, run, tail, texts, why};
use crate::support::work::{claim_one, completed, create, now, setup};

const HOUR: Duration = Duration::from_secs(3600);

async fn rows_left(database: &Database) -> [i64; 4] {
    [
        rows(database, "SELECT count(*) FROM stream").await,
        rows(database, "SELECT count(*) FROM stream_frame").await,
        rows(database, "SELECT count(*) FROM stream_summary").await,
        rows(database, "SELECT count(*) FROM live_log").await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_kept_for_its_time_after_the_end_of_its_attempt() {
    let (database, engine) = setup().await;
    let mut limited = create("x");
    limited.policy.stream_policy.retention_ttl_ms = Some(HOUR.as_millis() as u64);
    engine.create(limited).await.accepted();
    let fence = claim_one(&engine).await.fence;
    let id = fence.execution_id;
    append(&engine, fence, frame("kept")).await;
    append(&engine, fence, patch("{\"a\":1}")).await;
    append(&engine, fence, best_effort("live", 60_000)).await;
    // It runs longer than the time; nothing counts before its end.
    engine.renew(&[fence], 3_600_000).await.expect("renewed");
    database.advance(HOUR - Duration::from_secs(60)).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(read(&engine, id, 0).await.frames.len(), 3);
    engine.renew(&[fence], 3_600_000).await.expect("renewed");
    database.advance(Duration::from_secs(120)).await;
    engine.reconcile().await.expect("swept");
    completed(&engine, fence).await;
    database.advance(HOUR - Duration::from_secs(60)).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(texts(&read(&engine, id, 0).await)[0], "kept");
    // Over, before any sweep has looked.
    database.advance(Duration::from_secs(120)).await;
    let page = read(&engine, id, 0).await;
    assert_eq!(
        (page.frames.len(), page.more, why(&page)),
        (0, false, Some("attempt_success"))
    );
    let page = tail(&engine, &after(id, 0, model::FrameId::ZERO)).await;
    assert_eq!(
        (page.frames.len(), why(&page)),
        (0, Some("attempt_success"))
    );
    assert_eq!(engine.read_summary(id, 0, None).await.accepted(), None);
    engine.reconcile().await.expect("swept");
    assert_eq!(rows_left(&database).await, [1, 0, 0, 0], "the counts stay");
    let due = rows(
        &database,
        "SELECT count(*) FROM stream WHERE due_at IS NOT NULL",
    )
    .await;
    assert_eq!(due, 0);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_leaves_with_its_execution_in_chunks() {
    let (database, _) = setup().await;
    let retention = Retention {
        finished_ms: 1000,
        ..Retention::default()
    };
    let settings = Settings {
        retention,
        ..database.settings()
    };
    let engine = Engine::connect(settings).await.expect("connected");
    // Retention finds executions in the order of their ids, which have a time.
    let made_at = now(&database).await.unix_timestamp().unsigned_abs() * 1000 - 3_600_000;
    let partition = Partition::new(0).expect("the first");
    let old = Create {
        id: Some(ExecutionId::from_parts(partition, made_at, 1)),
        ..create("x")
    };
    engine.define_kind("echo").await.accepted();
    engine.create(old).await.accepted();
    let fence = claim_one(&engine).await.fence;
    append(&engine, fence, frame("x")).await;
    append(&engine, fence, patch("{\"a\":1}")).await;
    engine
        .append_log(fence, 0, b"line\n".to_vec())
        .await
        .accepted();
    // More than one sweep removes.
    run(
        &database,
        "INSERT INTO stream_frame (partition, execution_id, attempt, mode, place, ordinal, token,
                                   is_text, frame_type, payload)
         SELECT s.partition, s.execution_id, s.attempt, 'durable', s.place + n, s.durable + n, 0,
                true, 'x', 'many'
         FROM stream s, generate_series(1, 30000) AS n;
         UPDATE stream SET place = place + 30000, durable = durable + 30000",
    )
    .await;
    let other = database.engine().await;
    append(&other, fence, NewFrame::new("last", "x")).await;
    completed(&engine, fence).await;
    database.advance(HOUR * 48).await;
    let (_, kept) = (engine.reconcile().await.expect("swept"), fence.execution_id);
    assert!(
        engine.get(kept, None).await.answered().is_none(),
        "it is gone at once"
    );
    let read = engine.read_stream(&super::frames::whole(kept, 0)).await;
    assert_eq!(read.refused().code(), "execution_not_found");
    let [streams, frames, _, logs] = rows_left(&database).await;
    assert_eq!((streams, logs), (1, 0));
    assert!((1..30_002).contains(&frames), "a part of them: {frames}");
    engine.reconcile().await.expect("swept");
    assert_eq!(rows_left(&database).await, [0, 0, 0, 0]);
}
