//! Attempts that stream, and readers of them.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::http::events::stream::Stream;
use crate::support::api::{Api, text, with};

/// A frame to append under a lease.
pub(super) fn frame(lease: &str, payload: &str, more: Value) -> Value {
    let frame = json!({"lease": lease, "frame_type": "word", "payload": payload});
    with(frame, more)
}

/// Appends a frame; returns the outcome.
pub(super) async fn append(api: &Api, lease: &str, payload: &str, more: Value) -> Value {
    let frame = frame(lease, payload, more);
    let (status, outcome) = api.post("/v1/leases/frames", frame).await;
    assert_eq!(status, StatusCode::OK, "{outcome}");
    assert_eq!(outcome["outcome"], "appended", "{outcome}");
    outcome
}

/// Appends durable frames, many in one request; returns their ids.
pub(super) async fn append_many(api: &Api, lease: &str, payloads: &[String]) -> Vec<String> {
    let mut ids = Vec::new();
    for payloads in payloads.chunks(500) {
        let frames = payloads.iter().map(|it| frame(lease, it, json!({})));
        let body = json!({"leases": frames.collect::<Vec<_>>()});
        let (status, body) = api.post("/v1/leases/frames", body).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        for result in body["results"].as_array().expect("a list") {
            assert_eq!(result["status"], 200, "{result}");
            ids.push(text(&result["outcome"]["entry_id"]));
        }
    }
    ids
}

/// The path of the stream of an attempt.
pub(super) fn path(id: &str, attempt: u32) -> String {
    format!("/v1/executions/{id}/attempts/{attempt}/stream")
}

/// Reads a page of the stream of the first attempt, or what is below it.
pub(super) async fn read(api: &Api, id: &str, query: &str) -> Value {
    let (status, page) = api.get(&format!("{}{query}", path(id, 0))).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page
}

/// The ids of the frames of a page.
pub(super) fn ids(page: &Value) -> Vec<String> {
    let frames = page["frames"].as_array().expect("a list");
    assert_eq!(page["count"], frames.len());
    frames.iter().map(|frame| text(&frame["id"])).collect()
}

/// The payloads of the frames of a page.
pub(super) fn payloads(page: &Value) -> Vec<String> {
    let frames = page["frames"].as_array().expect("a list");
    let payload = |frame: &Value| text(&frame["fields"]["payload"]);
    frames.iter().map(payload).collect()
}

/// Follows the stream of the first attempt behind a frame.
pub(super) async fn follow(api: &Api, id: &str, query: &str, last: Option<&str>) -> Stream {
    let url = format!("{}{}/tail{query}", api.host.url(), path(id, 0));
    Stream::open(&api.client, url, None, last).await
}

/// Reads so many frames of a stream that is followed; returns their payloads, and the id of
/// the last.
pub(super) async fn words(stream: &mut Stream, count: usize) -> (Vec<String>, String) {
    let messages = stream.messages(count).await;
    let mut last = String::new();
    let mut words = Vec::new();
    for message in messages {
        assert_eq!(message.event.as_deref(), Some("frame"), "{message:?}");
        last = message.id.expect("an id");
        assert_eq!(message.data["id"], last.as_str());
        words.push(text(&message.data["fields"]["payload"]));
    }
    (words, last)
}
