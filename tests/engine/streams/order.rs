//! No frame is ever read late: ids are given in the order in which frames can be read,
//! also where clocks differ and writers interleave.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::Engine;
use model::{ExecutionId, FrameId};
use sqlx::{Connection as _, Executor as _};
use testkit::Answered;

use super::frames::{after, append, frame, read, rows, run, statements_wait, tail, texts};
use crate::support::waiting::running;
use crate::support::work::{complete, setup};

/// A writer that has its id and has not committed: those after it wait, and a reader sees
/// neither, then both in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_not_committed_is_not_passed() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let first = append(&engine, fence, frame("first")).await;
    let mut slow = database.connection().await;
    let mut open = slow.begin().await.expect("begun");
    open.execute(
        "UPDATE stream SET place = place + 5, durable = durable + 1;
         INSERT INTO stream_frame (partition, execution_id, attempt, mode, place, ordinal, token,
                                   is_text, frame_type, payload)
         SELECT partition, execution_id, attempt, 'durable', place, durable, 0, true, 'x', 'slow'
         FROM stream",
    )
    .await
    .expect("written");
    let appending: Vec<_> = [engine.clone(), other.clone()]
        .into_iter()
        .map(|engine| tokio::spawn(async move { append(&engine, fence, frame("later")).await }))
        .collect();
    statements_wait(&database, 2).await;
    assert_eq!(texts(&read(&other, id, 0).await), ["first"]);
    let reading = {
        let request = after(id, 0, first.frame_id);
        tokio::spawn(async move { tail(&other, &request).await })
    };
    open.commit().await.expect("committed");
    let seen = texts(&reading.await.expect("read"));
    assert_eq!(
        seen[0], "slow",
        "not after those that it came before: {seen:?}"
    );
    for appended in appending {
        assert!(appended.await.expect("appended").frame_id > first.frame_id);
    }
    let page = read(&engine, id, 0).await;
    assert_eq!(texts(&page), ["first", "slow", "later", "later"]);
    assert!(page.frames.is_sorted_by(|a, b| a.id < b.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_makes_no_smaller_id() {
    let (database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let first = append(&engine, fence, frame("by a clock an hour ahead")).await;
    run(
        &database,
        "UPDATE stream_frame SET place = place + (3600000::bigint << 20);
         UPDATE stream SET place = place + (3600000::bigint << 20)",
    )
    .await;
    // Another host, which knows nothing of the stream.
    let other = database.engine().await;
    let second = append(&other, fence, frame("by the clock")).await;
    let ahead = FrameId {
        ms: first.frame_id.ms + 3_600_000,
        seq: first.frame_id.seq,
    };
    assert_eq!(second.frame_id, ahead.next());
    let third = append(&engine, fence, frame("again")).await;
    assert_eq!(third.frame_id, ahead.next().next());
}

/// Follows a stream to its end, and checks that each page continues the last.
async fn follow(engine: Engine, id: ExecutionId) -> Vec<FrameId> {
    let mut seen = vec![FrameId::ZERO];
    loop {
        let last = *seen.last().expect("one");
        let page = tail(&engine, &after(id, 0, last)).await;
        seen.extend(page.frames.iter().map(|frame| frame.id));
        if page.closed.is_some() {
            return seen.split_off(1);
        }
    }
}

/// Two hosts append to one stream while others follow it: each reader sees every frame, in
/// the order of the ids, so none came late.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_frames_of_several_hosts_in_order() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let readers: Vec<_> = [&engine, &other, &engine]
        .map(|engine| tokio::spawn(follow(engine.clone(), id)))
        .into_iter()
        .collect();
    let writers: Vec<_> = (0..6)
        .map(|n| {
            let engine = if n % 2 == 0 {
                engine.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move {
                let mut last = FrameId::ZERO;
                for _ in 0..40 {
                    let appended = append(&engine, fence, frame("x")).await;
                    assert!(appended.frame_id > last);
                    last = appended.frame_id;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("written");
    }
    engine.complete(complete(fence, "done")).await.accepted();
    let wanted: Vec<_> = read(&engine, id, 0)
        .await
        .frames
        .iter()
        .map(|it| it.id)
        .collect();
    assert_eq!(wanted.len(), 240);
    for reader in readers {
        assert_eq!(reader.await.expect("followed"), wanted);
    }
}

/// The end waits for an append that has the lease, so nothing is appended after it.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_for_an_append_that_came_first() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let fence = running(&engine).await.fence;
    append(&engine, fence, frame("first")).await;
    let mut holder = database.connection().await;
    let mut lock = holder.begin().await.expect("begun");
    lock.execute("SELECT FROM stream FOR UPDATE")
        .await
        .expect("locked");
    let appending = tokio::spawn(async move { append(&engine, fence, frame("second")).await });
    statements_wait(&database, 1).await;
    let ending = {
        let other = other.clone();
        tokio::spawn(async move { other.complete(complete(fence, "done")).await.accepted() })
    };
    // The append waits for the stream, the end for the append.
    statements_wait(&database, 2).await;
    let open = read(&other, fence.execution_id, 0).await;
    assert_eq!(
        (texts(&open), open.closed),
        (vec!["first".to_owned()], None)
    );
    lock.commit().await.expect("committed");
    appending.await.expect("appended");
    ending.await.expect("ended");
    let page = read(&other, fence.execution_id, 0).await;
    assert_eq!(texts(&page), ["first", "second"]);
    assert!(page.closed.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_after_a_stream_was_seen_closed() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    for _ in 0..15 {
        let fence = running(&engine).await.fence;
        let id = fence.execution_id;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = [&engine, &other]
            .map(|engine| {
                let (engine, stop) = (engine.clone(), stop.clone());
                tokio::spawn(async move {
                    let mut ids = HashSet::new();
                    while !stop.load(Ordering::Relaxed) {
                        match engine.append_frame(fence, frame("x")).await.answered() {
                            Ok(appended) => ids.insert(appended.frame_id),
                            Err(refusal) => {
                                assert_eq!(refusal.code(), "stream_closed");
                                break;
                            }
                        };
                    }
                    ids
                })
            })
            .into_iter()
            .collect();
        append(&engine, fence, frame("at least one")).await;
        engine.complete(complete(fence, "done")).await.accepted();
        let closed = read(&other, id, 0).await;
        assert!(closed.closed.is_some());
        stop.store(true, Ordering::Relaxed);
        let mut accepted = 1;
        for writer in writers {
            accepted += writer.await.expect("wrote").len();
        }
        assert_eq!(
            closed.frames.len(),
            accepted,
            "all that was accepted, at the end"
        );
        assert_eq!(read(&engine, id, 0).await.frames, closed.frames);
    }
}

/// A statement whose answer is lost is repeated; frames are appended once all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_statement_appends_nothing_twice() {
    let (database, _) = setup().await;
    let proxy = testkit::Proxy::start(database.url()).await;
    let mut settings = database.settings();
    settings.database_url = proxy.url().to_owned();
    let engine = Engine::connect(settings).await.expect("connected");
    let fence = running(&engine).await.fence;
    append(&engine, fence, frame("first")).await;
    for round in 0..3 {
        // Both hold the row until the answer is lost.
        let mut holder = database.connection().await;
        let mut lock = holder.begin().await.expect("begun");
        lock.execute("SELECT FROM stream FOR UPDATE")
            .await
            .expect("locked");
        let calls: Vec<_> = (0..5)
            .map(|n| {
                let (engine, text) = (engine.clone(), format!("{round} {n}"));
                tokio::spawn(async move { append(&engine, fence, frame(&text)).await })
            })
            .collect();
        statements_wait(&database, 1).await;
        // The statement continues at the server, and its answer reaches no one.
        proxy.swallow_open_connections();
        lock.commit().await.expect("committed");
        let mut ids = HashSet::new();
        for call in calls {
            ids.insert(call.await.expect("appended").frame_id);
        }
        assert_eq!(ids.len(), 5);
        let page = read(&engine, fence.execution_id, 0).await;
        assert_eq!(page.frames.len(), 1 + 5 * (round + 1), "{:?}", texts(&page));
        assert!(
            ids.iter()
                .all(|id| page.frames.iter().any(|frame| frame.id == *id))
        );
    }
    let counted = rows(&database, "SELECT durable FROM stream").await;
    assert_eq!(counted, 16);
}
