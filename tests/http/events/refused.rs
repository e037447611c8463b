//! What is refused before any event is read, the same for pages and for streams.

use serde_json::Value;

use super::read::{done_many, now, read};
use crate::support::api::{Api, text};
use crate::support::http_work::start;
use crate::support::server::rows::run;

/// Asks for events as JSON and as a stream; returns the status and the code of both.
async fn refusals(api: &Api, query: &str) -> Vec<(u16, String)> {
    let mut refusals = Vec::new();
    for accepted in ["application/json", "text/event-stream"] {
        let url = format!("{}/v1/events/{query}", api.host.url());
        let request = api.client.get(url).header("accept", accepted);
        let response = request.send().await.expect("the host answers");
        let status = response.status().as_u16();
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{query}"
        );
        let body: Value = response.json().await.expect("a problem");
        refusals.push((status, text(&body["code"])));
    }
    refusals
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_wrong_is_refused_before_a_stream_begins() {
    let (database, api) = start().await;
    let of_leases = now(&api, "lease_history").await;
    let foreign = format!("completion?after={of_leases}");
    for (query, status, code) in [
        ("completions", 400, "invalid_id"),
        ("completion?after=x", 400, "invalid_cursor"),
        ("completion?after=0.1.1.1", 400, "invalid_cursor"),
        (&foreign, 400, "invalid_cursor"),
        ("completion?family=operator", 400, "invalid_query"),
        ("completion?limit=1&limit=2", 400, "invalid_query"),
        ("completion?limit=x", 400, "invalid_query"),
        ("completion?limit=0", 422, "invalid_input"),
        ("completion?limit=1001", 422, "invalid_input"),
        ("completion?wait_ms=30001", 422, "invalid_input"),
        ("completion?execution_id=x", 400, "invalid_query"),
        ("completion?flow_id=x", 400, "invalid_query"),
        ("completion?tag=team.name", 400, "invalid_query"),
        ("completion?tag=a.b:c&tag=a.b:d", 422, "invalid_input"),
        ("completion?namespace=", 422, "invalid_input"),
    ] {
        let refusals = refusals(&api, query).await;
        assert_eq!(refusals, vec![(status, code.to_owned()); 2], "{query}");
    }
    done_many(&api, 1).await;
    database.events_are_readable().await;
    let page = read(&api, "completion?after=beginning").await;
    let old = text(&page["events"][0]["cursor"]);
    assert_eq!(
        read(&api, &format!("completion?after={old}")).await["more"],
        false
    );
    run(
        &database,
        "UPDATE event_floor SET xid = pg_current_xact_id()".to_owned(),
    )
    .await;
    let gone = vec![(410, "cursor_too_old".to_owned()); 2];
    assert_eq!(
        refusals(&api, &format!("completion?after={old}")).await,
        gone
    );
    read(&api, "completion?after=beginning").await;
    read(&api, "completion?after=").await;
}
