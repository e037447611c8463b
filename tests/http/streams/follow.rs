//! Streams that are followed: by long polls, and as Server-Sent Events that are cut and
//! resumed without a gap.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::eventually;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::work::{append, append_many, follow, ids, path, payloads, read, words};
use crate::support::api::{Api, builder, text};
use crate::support::http_waiting::held;
use crate::support::http_work::{complete, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_is_answered_by_the_next_frame_whichever_host_took_it() {
    let (database, api) = start().await;
    let elsewhere = Api::start(builder(&database), &[]).await;
    let (id, lease) = held(&api, json!({})).await;
    let first = append(&api, &lease, "0", json!({})).await;
    let mut after = text(&first["entry_id"]);
    for (n, writer) in [(1, &api), (2, &elsewhere), (3, &api), (4, &elsewhere)] {
        let tail = format!("{}/tail?after={after}&wait_ms=30000", path(&id, 0));
        let poll = api.get(&tail);
        let began = Instant::now();
        let appends = async {
            // So that the poll waits by then; either way the answer is the same.
            tokio::time::sleep(Duration::from_millis(200)).await;
            append(writer, &lease, &n.to_string(), json!({})).await
        };
        let ((status, page), appended) = tokio::join!(poll, appends);
        assert_eq!(status, 200, "{page}");
        assert_eq!(payloads(&page), [n.to_string()]);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        after = text(&appended["entry_id"]);
        assert_eq!(ids(&page), [after.as_str()]);
        assert_eq!(page.get("closed_at"), None, "{page}");
    }
    let began = Instant::now();
    let quiet = read(&api, &id, &format!("/tail?after={after}&wait_ms=300")).await;
    assert_eq!(quiet, json!({"frames": [], "count": 0}));
    assert!(began.elapsed() >= Duration::from_millis(300));
    let all = read(&api, &id, "/tail").await;
    assert_eq!(payloads(&all), ["0", "1", "2", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_cut_continues_behind_the_frame_seen_last_on_any_host() {
    let (database, api) = start().await;
    let elsewhere = Api::start(builder(&database), &[]).await;
    let (id, lease) = held(&api, json!({})).await;
    let said: Vec<_> = (0..12).map(|n| n.to_string()).collect();
    append_many(&api, &lease, &said[..4]).await;
    // Pages of two: it reads page after page, and then what is appended.
    let mut stream = follow(&api, &id, "?limit=2", None).await;
    let (mut seen, mut last) = words(&mut stream, 4).await;
    append_many(&elsewhere, &lease, &said[4..6]).await;
    for (host, count) in [(&elsewhere, 2), (&api, 3), (&elsewhere, 3)] {
        drop(stream);
        // A browser sends the same query again: the frame seen last takes precedence.
        stream = follow(host, &id, "?limit=2&after=0-0", Some(&last)).await;
        if seen.len() > 4 {
            let next = seen.len();
            append_many(&api, &lease, &said[next..next + count]).await;
        }
        let (more, at) = words(&mut stream, count).await;
        seen.extend(more);
        last = at;
    }
    assert_eq!(seen, said);
    complete(&api, &lease).await;
    let end = stream.end().await;
    assert_eq!(end.event.as_deref(), Some("closed"), "{end:?}");
    assert_eq!(end.data["closed_reason"], "attempt_success");
    assert_eq!(end.data["cursor"], last.as_str());
    // One that connects again is told the end, and nothing twice.
    let mut again = follow(&api, &id, "", Some(&last)).await;
    let messages = again.messages(1).await;
    assert_eq!(messages[0].event.as_deref(), Some("closed"));
    assert!(again.next().await.is_none());
    eventually("its streams are counted", async || {
        let (_, page) = api.get("/metrics").await;
        let page = page.as_str().expect("text");
        let has = |line: &str| page.lines().any(|it| it == line);
        let closed = has("flowhost_attempt_streams_ended_total{verdict=\"closed\"} 1");
        let gone = has("flowhost_attempt_streams_ended_total{verdict=\"client_gone\"} 2");
        (closed && gone && has("flowhost_attempt_streams 0")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_resumed_without_a_gap_after_its_host_was_killed() {
    let (database, mut api) = start().await;
    let writer = Api::start(builder(&database), &[]).await;
    let (id, lease) = held(&api, json!({})).await;
    let mut stream = follow(&api, &id, "", None).await;
    append_many(&api, &lease, &["a".to_owned(), "b".to_owned()]).await;
    append(&writer, &lease, "c", json!({})).await;
    let (mut seen, last) = words(&mut stream, 3).await;
    api.host.kill();
    append_many(&writer, &lease, &["d".to_owned(), "e".to_owned()]).await;
    let next = Api::start(builder(&database), &[]).await;
    let mut stream = follow(&next, &id, "", Some(&last)).await;
    let (more, _) = words(&mut stream, 2).await;
    seen.extend(more);
    append(&next, &lease, "f", json!({})).await;
    let (more, _) = words(&mut stream, 1).await;
    seen.extend(more);
    assert_eq!(seen.concat(), "abcdef");
    complete(&writer, &lease).await;
    assert_eq!(stream.end().await.event.as_deref(), Some("closed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_never_read_hinder_no_other_and_hold_one_page_each() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let address = api.host.url().trim_start_matches("http://").to_owned();
    let mut silent = Vec::new();
    for _ in 0..50 {
        let mut connection = TcpStream::connect(&address).await.expect("a connection");
        let request = format!(
            "GET {}/tail?limit=10000 HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n",
            path(&id, 0)
        );
        connection
            .write_all(request.as_bytes())
            .await
            .expect("sent");
        silent.push(connection);
    }
    eventually("they are followed", async || {
        (api.metric("flowhost_attempt_streams").await >= 50.0).then_some(())
    })
    .await;
    let mut reader = follow(&api, &id, "", None).await;
    let big = json!({"max_payload_bytes": 1 << 20});
    let before = resident(&api);
    for n in 0..40 {
        let payload = format!("{n:02}").repeat(1 << 19);
        append(&api, &lease, &payload, big.clone()).await;
        let (seen, _) = words(&mut reader, 1).await;
        assert_eq!(seen[0][..2], format!("{n:02}"));
    }
    // 50 readers that held all of 40 MiB would need 2 GiB.
    let grown = resident(&api).saturating_sub(before);
    assert!(grown < 600 << 20, "{} MiB more", grown >> 20);
    complete(&api, &lease).await;
    assert_eq!(reader.end().await.event.as_deref(), Some("closed"));
    drop(silent);
    eventually("they are gone", async || {
        (api.metric("flowhost_attempt_streams").await == 0.0).then_some(())
    })
    .await;
}

/// The bytes that the host has in memory.
fn resident(api: &Api) -> u64 {
    let path = format!("/proc/{}/statm", api.host.pid());
    let pages = std::fs::read_to_string(path).expect("the host runs");
    let pages = pages.split(' ').nth(1).expect("a number");
    pages.parse::<u64>().expect("a number") * 4096
}
