//! Tails: they wake at once, share their reads, and hold nothing while they wait.

use std::time::{Duration, Instant};

use engine::{Engine, TailStream};
use model::{FrameId, NewFrame};
use sqlx::Executor as _;
use testkit::{Answered, Database, eventually};

use super::frames::{after, append, frame, tail, texts, why};
use crate::support::waiting::running;
use crate::support::work::{complete, setup};

const SOON: Duration = Duration::from_secs(5);

fn tailing(engine: &Engine, request: &TailStream) -> tokio::task::JoinHandle<Vec<String>> {
    let (engine, request) = (engine.clone(), request.clone());
    tokio::spawn(async move {
        let page = tail(&engine, &request).await;
        let mut texts = texts(&page);
        texts.extend(why(&page).map(ToOwned::to_owned));
        texts
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_wakes_at_once_on_the_same_host_and_on_another() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    eventually("the hosts listen", async || {
        let listening = [&engine, &other].map(|it| it.wake_ups());
        (listening == [engine::WakeUps::Arriving; 2]).then_some(())
    })
    .await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let mut last = FrameId::ZERO;
    for (reader, writer) in [(&engine, &engine), (&other, &engine), (&engine, &other)] {
        let mut delays = Vec::new();
        for n in 0..20 {
            let waiting = tailing(reader, &after(id, 0, last));
            tokio::time::sleep(Duration::from_millis(30)).await;
            let began = Instant::now();
            last = append(writer, fence, frame(&n.to_string())).await.frame_id;
            assert_eq!(waiting.await.expect("told"), [n.to_string()]);
            delays.push(began.elapsed());
        }
        delays.sort_unstable();
        assert!(delays[10] < Duration::from_millis(80), "{delays:?}");
    }
    // By the end of the attempt, on another host.
    let waiting = tailing(&other, &after(id, 0, last));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    engine.complete(complete(fence, "done")).await.accepted();
    assert_eq!(waiting.await.expect("told"), ["attempt_success"]);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_wake_ups_a_tail_polls() {
    let (database, engine) = setup().await;
    let mut settings = database.settings();
    settings.wake_ups = false;
    let deaf = Engine::connect(settings).await.expect("connected");
    let fence = running(&engine).await.fence;
    let waiting = tailing(&deaf, &after(fence.execution_id, 0, FrameId::ZERO));
    tokio::time::sleep(Duration::from_millis(300)).await;
    append(&engine, fence, frame("x")).await;
    let began = Instant::now();
    assert_eq!(waiting.await.expect("told"), ["x"]);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_an_empty_page() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let mut request = after(fence.execution_id, 0, FrameId::ZERO);
    for wait in [0, 100] {
        request.wait = Duration::from_millis(wait);
        let began = Instant::now();
        let page = tail(&engine, &request).await;
        assert_eq!(
            (page.frames.len(), page.more, page.closed),
            (0, false, None)
        );
        assert!(began.elapsed() >= request.wait);
        assert!(began.elapsed() < SOON);
    }
    append(&engine, fence, frame("x")).await;
    request.wait = Duration::ZERO;
    let page = tail(&engine, &request).await;
    // What is there is read without a wait; what was just appended, on the next call.
    if page.frames.is_empty() {
        request.wait = SOON;
        assert_eq!(texts(&tail(&engine, &request).await), ["x"]);
    }
}

/// Counts what the server has executed for this database so far.
async fn transactions(database: &Database) -> i64 {
    let mut connection = database.connection().await;
    connection
        .execute("SELECT pg_stat_clear_snapshot()")
        .await
        .expect("cleared");
    sqlx::query_scalar(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .expect("counted")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tails_share_their_reads_and_hold_no_connection() {
    let (database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let mut last = FrameId::ZERO;
    for n in 0..5 {
        let request = after(fence.execution_id, 0, last);
        let waiting: Vec<_> = (0..1000).map(|_| tailing(&engine, &request)).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (open, idle) = engine.connections();
        assert_eq!(open, idle, "no connection is held while they wait");
        let before = transactions(&database).await;
        last = append(&engine, fence, frame(&n.to_string())).await.frame_id;
        for tail in waiting {
            assert_eq!(tail.await.expect("told"), [n.to_string()]);
        }
        // Statistics are reported with some delay; what was read by each would be a thousand.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let read = transactions(&database).await - before;
        assert!(
            read < 200,
            "{read} transactions for one frame and a thousand tails"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_is_behind_reads_all_of_it() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    // More than is kept for those at the head.
    let blob = || NewFrame::new("blob", vec![b'x'; 60_000]);
    let _follower = tailing(&engine, &after(id, 0, FrameId::from_place(i64::MAX - 1)));
    let mut ids = Vec::new();
    for _ in 0..8 {
        let calls = (0..10).map(|_| append(&engine, fence, blob()));
        ids.extend(futures::future::join_all(calls).await);
    }
    let mut ids: Vec<_> = ids.iter().map(|appended| appended.frame_id).collect();
    ids.sort_unstable();
    let mut seen = Vec::new();
    let mut last = FrameId::ZERO;
    while seen.len() < ids.len() {
        let mut request = after(id, 0, last);
        request.count = 7;
        let page = tail(&engine, &request).await;
        seen.extend(page.frames.iter().map(|frame| frame.id));
        last = *seen.last().expect("frames");
    }
    assert_eq!(seen, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_goes_away_takes_nothing_from_others() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let request = after(fence.execution_id, 0, FrameId::ZERO);
    let gone = tailing(&engine, &request);
    let stays = tailing(&engine, &request);
    tokio::time::sleep(Duration::from_millis(50)).await;
    gone.abort();
    append(&engine, fence, frame("x")).await;
    assert_eq!(stays.await.expect("told"), ["x"]);
}
