//! Streams of events: they go on after a cut where they were, and end when they must.

use std::time::{Duration, Instant};

use model::{Role, Scope};
use serde_json::json;
use testkit::{Answered, Fault, Proxy, eventually};

use super::read::{all, done, done_many, members, read};
use super::stream::Stream;
use crate::http::access::guarded::Guarded;
use crate::support::api::{Api, builder, builder_at, text};
use crate::support::http_work::{register, start};

fn url(api: &Api, query: &str) -> String {
    format!("{}/v1/events/{query}", api.host.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_cut_continues_behind_the_event_seen_last_on_any_host() {
    let (database, api) = start().await;
    let elsewhere = Api::start(builder(&database), &[]).await;
    let begins = url(&api, "lifecycle?after=beginning&limit=2");
    let mut stream = Stream::open(&api.client, begins.clone(), None, None).await;
    done_many(&api, 2).await;
    let mut seen = stream.events(4).await;
    drop(stream);
    done_many(&elsewhere, 2).await;
    for (host, count) in [(&elsewhere, 3), (&api, 5)] {
        let last = text(&seen[seen.len() - 1]["cursor"]);
        // A browser sends the same query again: the event seen last takes precedence.
        let again = url(host, "lifecycle?after=beginning&limit=2");
        let mut stream = Stream::open(&host.client, again, None, Some(&last)).await;
        seen.extend(stream.events(count).await);
    }
    assert_eq!(seen, all(&api, "lifecycle", 1000, "").await);
    eventually("its streams are counted", async || {
        let gone = "flowhost_event_streams_ended_total{verdict=\"client_gone\"}";
        let (_, page) = api.get("/metrics").await;
        let page = page.as_str().expect("text");
        let ended = page.lines().any(|line| line == format!("{gone} 2"));
        let open = page.lines().any(|line| line == "flowhost_event_streams 0");
        (ended && open).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_moves_past_what_its_filters_leave_out() {
    let (_database, api) = start().await;
    let quiet = url(&api, "completion?lane=quiet");
    let mut stream = Stream::open(&api.client, quiet.clone(), None, None).await;
    let from = stream.next().await.expect("where it begins").id;
    let from = from.expect("a cursor");
    done_many(&api, 2).await;
    // It is told where it is until nothing it does not want is left.
    loop {
        let message = stream.next().await.expect("it continues");
        assert_eq!(message.event, None, "{message:?}");
        let Some(moved) = message.id else { continue };
        assert_ne!(moved, from);
        let page = read(&api, &format!("completion?after={moved}")).await;
        if page["events"] == json!([]) {
            break;
        }
    }
    let id = done(&api, json!({"lane": "quiet"})).await;
    let events = stream.events(1).await;
    assert_eq!(members(&events, "execution_id"), [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_key() {
    let host = Guarded::start().await;
    host.word().await;
    let reader = host.key("reader", Role::Viewer, Some("a")).await;
    let url = format!("{}/v1/events/lifecycle", host.host.url());
    let client = reqwest::Client::new();
    let mut stream = Stream::open(&client, url.clone(), Some(&reader.text), None).await;
    let worker = host.key("worker", Role::Worker, None).await;
    let creator = host.key("creator", Role::Submitter, None).await;
    host.held(&creator, &worker, json!({"namespace": "b"}))
        .await;
    let (id, _) = host
        .held(&creator, &worker, json!({"namespace": "a"}))
        .await;
    let events = stream.events(2).await;
    assert_eq!(members(&events, "execution_id"), [id.as_str(); 2]);
    let revoked = host
        .engine
        .revoke_api_key(reader.id, &Scope::Everywhere, "tests");
    revoked.await.accepted();
    let revoked = Instant::now();
    let last = stream.end().await;
    assert!(revoked.elapsed() < Duration::from_secs(3));
    assert_eq!(last.event.as_deref(), Some("unauthenticated"));
    let key = host.key("again", Role::Viewer, Some("a")).await;
    let cursor = text(&last.data["cursor"]);
    let mut stream = Stream::open(&client, url, Some(&key.text), Some(&cursor)).await;
    let (id, _) = host
        .held(&creator, &worker, json!({"namespace": "a"}))
        .await;
    let events = stream.events(2).await;
    assert_eq!(members(&events, "execution_id"), [id.as_str(); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_and_a_long_poll_end_with_the_host() {
    let (_database, mut api) = start().await;
    let mut stream = Stream::open(&api.client, url(&api, "completion"), None, None).await;
    let id = done(&api, json!({})).await;
    let event = stream.events(1).await.remove(0);
    assert_eq!(event["execution_id"], id.as_str());
    let path = format!("completion?after={}&wait_ms=30000", text(&event["cursor"]));
    let poll = api.client.get(url(&api, &path)).send();
    let began = Instant::now();
    let (polled, last) = tokio::join!(poll, async {
        // So that it waits by then; either way the answer is the same.
        tokio::time::sleep(Duration::from_millis(300)).await;
        api.host.signal("TERM");
        stream.end().await
    });
    assert_eq!(last.event.as_deref(), Some("draining"), "{last:?}");
    assert!(last.data["cursor"].is_string(), "{last:?}");
    let polled = polled.expect("an answer");
    assert!([200, 503].contains(&polled.status().as_u16()));
    assert_eq!(api.host.exit_code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_database_says_where_it_was() {
    let database = testkit::database().await;
    let proxy = Proxy::start(database.url()).await;
    let api = Api::start(builder_at(proxy.url()), &[]).await;
    register(&api, "w", "w-1").await;
    let mut stream = Stream::open(&api.client, url(&api, "completion"), None, None).await;
    let id = done(&api, json!({})).await;
    let event = stream.events(1).await.remove(0);
    assert_eq!(event["execution_id"], id.as_str());
    proxy.set(Fault::Stall);
    let last = stream.end().await;
    assert_eq!(last.event.as_deref(), Some("disconnected"), "{last:?}");
    assert_eq!(last.data["code"], "unavailable");
    proxy.set(Fault::None);
    let cursor = text(&last.data["cursor"]);
    eventually("the host answers again", async || {
        let begin = api.client.get(url(&api, "completion")).send().await;
        let ready = begin.is_ok_and(|it| it.status().is_success());
        ready.then_some(())
    })
    .await;
    let mut again = Stream::open(&api.client, url(&api, "completion"), None, Some(&cursor)).await;
    let id = done(&api, json!({})).await;
    assert_eq!(members(&again.events(1).await, "execution_id"), [id]);
}
