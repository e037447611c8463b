//! Reads events, and makes some happen.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::api::{Api, text};
use crate::support::http_work::{claim_one, complete, word};

/// Reads a page of events.
pub(super) async fn read(api: &Api, query: &str) -> Value {
    let (status, page) = api.get(&format!("/v1/events/{query}")).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page
}

/// Reads all events from the oldest on, so many at a time.
pub(super) async fn all(api: &Api, family: &str, limit: usize, filters: &str) -> Vec<Value> {
    let mut after = "beginning".to_owned();
    let mut events = Vec::new();
    loop {
        let page = read(
            api,
            &format!("{family}?after={after}&limit={limit}{filters}"),
        )
        .await;
        let rows = page["events"].as_array().expect("a list");
        assert!(rows.len() <= limit, "{page}");
        events.extend(rows.iter().cloned());
        after = text(&page["cursor"]);
        if page["more"] == false {
            return events;
        }
    }
}

/// Returns the cursor from now on.
pub(super) async fn now(api: &Api, family: &str) -> String {
    text(&read(api, family).await["cursor"])
}

/// The values of a member.
pub(super) fn members(events: &[Value], name: &str) -> Vec<String> {
    let text = |event: &Value| event[name].as_str().unwrap_or_default().to_owned();
    events.iter().map(text).collect()
}

/// Creates an execution and completes it; returns its id.
pub(super) async fn done(api: &Api, more: Value) -> String {
    let id = api.create(crate::support::api::with(word("x"), more)).await;
    let claimed = claim_one(api, "w-1").await;
    complete(api, &text(&claimed["lease"])).await;
    id
}

/// Creates executions and completes them; returns their ids.
pub(super) async fn done_many(api: &Api, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(done(api, json!({})).await);
    }
    ids
}
