//! Logs of attempts while they run: without gap or repeat, also over the end of a lease.

use std::time::Duration;

use engine::{Complete, Delay, Due, Engine, LogPage, ReadLog, Report};
use model::{ExecutionId, Fence, LogPlace};
use testkit::Answered;

use super::frames::{LONG, read};
use crate::support::waiting::running;
use crate::support::work::{claim_one, complete, completed, setup};

fn log(id: ExecutionId, attempt: u32, after: LogPlace) -> ReadLog {
    ReadLog {
        execution_id: id,
        attempt,
        namespace: None,
        after,
    }
}

async fn logged(engine: &Engine, fence: Fence, offset: u64, text: &str) {
    let appended = engine
        .append_log(fence, offset, text.as_bytes().to_vec())
        .await;
    appended.accepted();
}

fn text(page: &LogPage) -> &str {
    std::str::from_utf8(&page.text).expect("text")
}

fn report(log: &str) -> Report {
    Report {
        log: Some(log.as_bytes().to_vec()),
        ..Report::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_each_byte_once_over_pieces_and_leases() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let following = {
        let other = other.clone();
        tokio::spawn(async move {
            let (mut all, mut after) = (String::new(), LogPlace::START);
            loop {
                let page = other.tail_log(&log(id, 0, after), LONG).await.accepted();
                all.push_str(text(&page));
                after = page.next;
                if page.closed.is_some() {
                    return all;
                }
            }
        })
    };
    logged(&engine, fence, 0, "one\n").await;
    logged(&engine, fence, 0, "one\n").await;
    logged(&engine, fence, 4, "two\n").await;
    // Sent again in other parts.
    logged(&engine, fence, 2, "e\ntwo\nthree\n").await;
    let due = Due::InMs(0);
    let report_of = report("one\ntwo\nthree\nfour\n");
    engine
        .delay(Delay {
            fence,
            due,
            report: report_of,
        })
        .await
        .accepted();
    engine.reconcile().await.expect("swept");
    let fence = claim_one(&engine).await.fence;
    logged(&engine, fence, 0, "five\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let done = Complete {
        report: report("five\nsix\n"),
        ..complete(fence, "done")
    };
    engine.complete(done).await.accepted();
    let all = following.await.expect("followed");
    assert_eq!(all, "one\ntwo\nthree\nfour\nfive\nsix\n");
    // Read from anywhere, it is the same.
    let page = engine
        .read_log(&log(id, 0, LogPlace::START))
        .await
        .accepted();
    assert_eq!(text(&page), all);
    assert!(page.closed.is_some());
    let in_the_middle = LogPlace {
        epoch: 1,
        offset: 9,
    };
    let page = engine.read_log(&log(id, 0, in_the_middle)).await.accepted();
    assert_eq!(text(&page), "hree\nfour\nfive\nsix\n");
    let page = engine.read_log(&log(id, 0, page.next)).await.accepted();
    assert_eq!((text(&page), page.closed.is_some()), ("", true));
    assert_eq!(
        read(&engine, id, 0).await.frames.len(),
        0,
        "a log is not in the stream"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_host_has_logged_is_kept() {
    let (database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    logged(&engine, fence, 0, "before it died\n").await;
    database.advance(Duration::from_secs(31)).await;
    let late = engine
        .append_log(fence, 15, b"late".to_vec())
        .await
        .refused();
    assert_eq!(late.code(), "stale_owner_cannot_append");
    engine.reconcile().await.expect("swept");
    let page = engine
        .read_log(&log(id, 0, LogPlace::START))
        .await
        .accepted();
    assert_eq!(text(&page), "before it died\n");
    let reason = page.closed.map(|closed| closed.reason.as_str());
    assert_eq!(reason, Some("lease_expired"));
    completed(&engine, claim_one(&engine).await.fence).await;
    let page = engine
        .read_log(&log(id, 1, LogPlace::START))
        .await
        .accepted();
    assert_eq!((text(&page), page.closed.is_some()), ("", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_bounded_and_belongs_to_its_namespace() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let id = fence.execution_id;
    let long = vec![b'x'; 65_537];
    let refused = engine.append_log(fence, 0, long).await.refused();
    assert_eq!(refused.code(), "payload_too_large");
    let far = engine.append_log(fence, (1 << 30) + 1, b"x".to_vec()).await;
    assert_eq!(far.refused().code(), "invalid_input");
    let mut elsewhere = log(id, 0, LogPlace::START);
    elsewhere.namespace = Some("blue".to_owned());
    let refused = engine.read_log(&elsewhere).await.refused();
    assert_eq!(refused.code(), "execution_not_found");
    // Beyond a gap nothing is read until it is filled.
    logged(&engine, fence, 5, "later").await;
    let page = engine
        .read_log(&log(id, 0, LogPlace::START))
        .await
        .accepted();
    assert_eq!(text(&page), "");
    logged(&engine, fence, 0, "first").await;
    let page = engine
        .read_log(&log(id, 0, LogPlace::START))
        .await
        .accepted();
    assert_eq!(text(&page), "firstlater");
    // Many small pieces are many pages.
    for n in 0..200 {
        logged(&engine, fence, 10 + n, "x").await;
    }
    let (mut all, mut after) = (String::new(), LogPlace::START);
    loop {
        let page = engine.read_log(&log(id, 0, after)).await.accepted();
        all.push_str(text(&page));
        after = page.next;
        if !page.more {
            break;
        }
    }
    assert_eq!(all, format!("firstlater{}", "x".repeat(200)));
}
