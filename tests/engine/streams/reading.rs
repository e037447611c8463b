//! Ranges and pages of a stream, and which modes a reader sees.

use model::{ExpireReason, NewFrame, StreamCursor, StreamRefusal, Visibility};
use testkit::Answered;

use super::frames::{after, append, best_effort, frame, patch, read, tail, texts, whole, why};
use crate::support::waiting::running;
use crate::support::work::{completed, create, created, operate, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_range_has_both_its_ends() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(append(&engine, fence, frame(&n.to_string())).await.frame_id);
    }
    let range = async |from: StreamCursor, to: StreamCursor| {
        let request = engine::ReadStream {
            from,
            to,
            ..whole(fence.execution_id, 0)
        };
        texts(&engine.read_stream(&request).await.accepted())
    };
    let (start, end) = (StreamCursor::Start, StreamCursor::End);
    assert_eq!(range(start, end).await, ["0", "1", "2", "3", "4"]);
    assert_eq!(range(ids[1].into(), ids[3].into()).await, ["1", "2", "3"]);
    assert_eq!(range(ids[2].into(), ids[2].into()).await, ["2"]);
    assert_eq!(range(start, start).await, Vec::<String>::new());
    assert_eq!(range(end, end).await, Vec::<String>::new());
    let of_ms = |ms: u64| StreamCursor::At { ms, seq: None };
    let same: Vec<String> = (0..5)
        .filter(|n| ids[*n].ms == ids[4].ms)
        .map(|n| n.to_string())
        .collect();
    assert_eq!(range(of_ms(ids[4].ms), of_ms(ids[4].ms)).await, same);
    assert_eq!(range(of_ms(ids[0].ms), of_ms(u64::MAX)).await.len(), 5);
    let request = engine::ReadStream {
        from: ids[3].into(),
        to: ids[1].into(),
        ..whole(fence.execution_id, 0)
    };
    let backwards = engine.read_stream(&request).await.refused();
    assert_eq!(backwards.code(), "invalid_input");
    let from_end = engine::ReadStream {
        from: end,
        to: start,
        ..whole(fence.execution_id, 0)
    };
    let backwards = engine.read_stream(&from_end).await.refused();
    assert_eq!(backwards.code(), "invalid_input");
    for (count, code) in [
        (0, "invalid_input"),
        (10_001, "count_limit_exceeds_hard_cap"),
    ] {
        let request = engine::ReadStream {
            count,
            ..whole(fence.execution_id, 0)
        };
        assert_eq!(engine.read_stream(&request).await.refused().code(), code);
    }
    for (after_it, wait_ms) in [(start, 0), (end, 0), (ids[0].into(), 30_001)] {
        let request = engine::TailStream {
            after: after_it,
            wait: std::time::Duration::from_millis(wait_ms),
            ..after(fence.execution_id, 0, ids[0])
        };
        let refused = engine.tail_stream(&request).await.refused();
        assert_eq!(refused.code(), "invalid_input");
    }
    let mut elsewhere = whole(fence.execution_id, 0);
    elsewhere.namespace = Some("blue".to_owned());
    let refused = engine.read_stream(&elsewhere).await.refused();
    assert_eq!(refused.code(), "execution_not_found");
    let mut elsewhere = after(fence.execution_id, 0, ids[0]);
    elsewhere.namespace = Some("blue".to_owned());
    let refused = engine.tail_stream(&elsewhere).await.refused();
    assert_eq!(refused.code(), "execution_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_end_at_frames_and_at_bytes_and_the_next_begins_there() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let blob = NewFrame {
        max_payload_bytes: Some(1 << 20),
        ..NewFrame::new("blob", vec![b'x'; 1 << 20])
    };
    let blobs = (0..9).map(|_| append(&engine, fence, blob.clone()));
    futures::future::join_all(blobs).await;
    let small = (0..10).map(|n| append(&engine, fence, frame(&n.to_string())));
    futures::future::join_all(small).await;
    completed(&engine, fence).await;
    let mut request = whole(id, 0);
    let mut pages = Vec::new();
    loop {
        let page = engine.read_stream(&request).await.accepted();
        let bytes: usize = page.frames.iter().map(|frame| frame.bytes()).sum();
        assert!(bytes <= 4 << 20, "{bytes}");
        assert_eq!(why(&page), Some("attempt_success"));
        pages.push(page.frames.len());
        match page.last().filter(|_| page.more) {
            Some(last) => request.from = last.next().into(),
            None => break,
        }
    }
    assert_eq!(pages, [4, 4, 11]);
    // A tail reads the same pages, and says that the stream is closed with the last.
    let mut tailing = after(id, 0, model::FrameId::ZERO);
    let mut pages = Vec::new();
    loop {
        let page = tail(&engine, &tailing).await;
        pages.push(page.frames.len());
        assert_eq!(page.more, page.closed.is_none());
        tailing.after = page.last().expect("frames").into();
        if page.closed.is_some() {
            break;
        }
    }
    assert_eq!(pages.iter().sum::<usize>(), 19, "{pages:?}");
    let after_all = tail(&engine, &tailing).await;
    assert_eq!(
        (after_all.frames.len(), why(&after_all)),
        (0, Some("attempt_success"))
    );
    request = engine::ReadStream {
        count: 3,
        ..whole(id, 0)
    };
    let page = engine.read_stream(&request).await.accepted();
    assert_eq!((page.frames.len(), page.more), (3, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_does_not_want_hides_nothing_behind_it() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    append(&engine, fence, frame("first")).await;
    for n in 0..300 {
        append(&engine, fence, best_effort(&n.to_string(), 60_000)).await;
    }
    append(&engine, fence, patch("{\"a\":1}")).await;
    append(&engine, fence, frame("last")).await;
    assert_eq!(read(&engine, id, 0).await.frames.len(), 303);
    let mut request = whole(id, 0);
    request.visibility = Visibility::ExcludeBestEffort;
    request.count = 2;
    let page = engine.read_stream(&request).await.accepted();
    assert_eq!(
        (texts(&page), page.more),
        (vec!["first".to_owned(), "{\"a\":1}".to_owned()], true)
    );
    request.from = page.last().expect("frames").next().into();
    let page = engine.read_stream(&request).await.accepted();
    assert_eq!((texts(&page), page.more), (vec!["last".to_owned()], false));
    let mut tailing = after(id, 0, model::FrameId::ZERO);
    tailing.visibility = Visibility::ExcludeBestEffort;
    tailing.count = 2;
    let page = tail(&engine, &tailing).await;
    assert_eq!(
        (texts(&page), page.more),
        (vec!["first".to_owned(), "{\"a\":1}".to_owned()], true)
    );
    tailing.after = page.last().expect("frames").into();
    assert_eq!(texts(&tail(&engine, &tailing).await), ["last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_few_frames_says_the_end_with_the_last_of_them() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    for n in 0..5 {
        append(&engine, fence, frame(&n.to_string())).await;
    }
    completed(&engine, fence).await;
    let mut request = after(fence.execution_id, 0, model::FrameId::ZERO);
    request.count = 2;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let page = tail(&engine, &request).await;
        pages.push((page.frames.len(), page.more, why(&page)));
        request.after = page.last().expect("frames").into();
    }
    let last = (1, false, Some("attempt_success"));
    assert_eq!(pages, [(2, true, None), (2, true, None), last]);
}

// The largest number was read as -1, which an execution that ended before its first attempt
// seemed to have.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_of_any_number_that_was_not_made_is_not_found() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let expired = engine.expire(operate(id), ExpireReason::Expired).await;
    expired.accepted();
    for attempt in [0, 1, u32::MAX] {
        let not_found = StreamRefusal::AttemptNotFound { attempt };
        let refused = engine.read_summary(id, attempt, None).await.refused();
        assert_eq!(refused, not_found);
        let refused = engine.read_stream(&whole(id, attempt)).await.refused();
        assert_eq!(refused, not_found);
    }
}
