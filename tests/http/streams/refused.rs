//! What is refused, by name: the same for ranges, long polls and streams of events.

use serde_json::{Value, json};

use super::work::{append, frame, path};
use crate::support::api::{Api, code, text};
use crate::support::http_waiting::held;
use crate::support::http_work::{claim_one, complete, start};

/// Asks with or without the media type of streams; returns the status and the code.
async fn refusal(api: &Api, url: &str, accepted: &str) -> (u16, String) {
    let request = api.client.get(format!("{}{url}", api.host.url()));
    let response = request.header("accept", accepted).send().await;
    let response = response.expect("the host answers");
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json",
        "{url}"
    );
    let body: Value = response.json().await.expect("a problem");
    (status, text(&body["code"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_wrong_is_refused_by_name_before_a_stream_begins() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    append(&api, &lease, "x", json!({})).await;
    let unknown = "01990000-0000-7000-8000-000000000000";
    let of = format!("/v1/executions/{id}/attempts");
    for (url, status, name) in [
        (format!("{of}/0/stream?from=%2b"), 422, "invalid_input"),
        (format!("{of}/0/stream?from=-"), 422, "invalid_input"),
        (format!("{of}/0/stream?from="), 422, "invalid_input"),
        (format!("{of}/0/stream?to=1-2-3"), 422, "invalid_input"),
        (format!("{of}/0/stream?to=%D9%A3"), 422, "invalid_input"),
        (format!("{of}/0/stream?from=5&to=4"), 422, "invalid_input"),
        (
            format!("{of}/0/stream?from=5-2&to=5-1"),
            422,
            "invalid_input",
        ),
        (
            format!("{of}/0/stream?from=end&to=start"),
            422,
            "invalid_input",
        ),
        (format!("{of}/0/stream?limit=0"), 422, "invalid_input"),
        (
            format!("{of}/0/stream?limit=10001"),
            422,
            "count_limit_exceeds_hard_cap",
        ),
        (format!("{of}/0/stream?limit=x"), 400, "invalid_query"),
        (
            format!("{of}/0/stream?visibility=none"),
            400,
            "invalid_query",
        ),
        (format!("{of}/0/stream?after=0-0"), 400, "invalid_query"),
        (
            format!("{of}/0/stream/tail?after=start"),
            422,
            "invalid_input",
        ),
        (
            format!("{of}/0/stream/tail?after=end"),
            422,
            "invalid_input",
        ),
        (
            format!("{of}/0/stream/tail?after=0-0x"),
            422,
            "invalid_input",
        ),
        (
            format!("{of}/0/stream/tail?wait_ms=30001"),
            422,
            "invalid_input",
        ),
        (format!("{of}/0/stream/tail?limit=0"), 422, "invalid_input"),
        (
            format!("{of}/0/stream/tail?limit=10001"),
            422,
            "count_limit_exceeds_hard_cap",
        ),
        (format!("{of}/x/stream"), 400, "invalid_id"),
        (format!("{of}/-1/stream/tail"), 400, "invalid_id"),
        (format!("{of}/4294967296/stream/summary"), 400, "invalid_id"),
        (format!("{of}/0/log?after=1"), 422, "invalid_input"),
        (format!("{of}/0/log/tail?after=a-b"), 422, "invalid_input"),
        (
            format!("{of}/0/log/tail?wait_ms=30001"),
            422,
            "invalid_input",
        ),
        (
            "/v1/executions/x/attempts/0/stream".to_owned(),
            400,
            "invalid_id",
        ),
        (path(unknown, 0), 404, "execution_not_found"),
        (path(unknown, 0) + "/tail", 404, "execution_not_found"),
        (path(unknown, 0) + "/summary", 404, "execution_not_found"),
        (
            format!("/v1/executions/{unknown}/attempts/0/log"),
            404,
            "execution_not_found",
        ),
        (
            format!("/v1/executions/{unknown}/attempts/0/log/tail"),
            404,
            "execution_not_found",
        ),
        (
            path(&id, 0) + "?namespace=other",
            404,
            "execution_not_found",
        ),
    ] {
        for accepted in ["application/json", "text/event-stream"] {
            let refused = refusal(&api, &url, accepted).await;
            assert_eq!(refused, (status, name.to_owned()), "{url}");
        }
    }
    // A cursor that is not valid is refused also where the header takes precedence.
    for (list, after) in [("stream", "x"), ("stream", "start"), ("log", "1")] {
        let url = format!("{}{of}/0/{list}/tail?after={after}", api.host.url());
        let request = api.client.get(url).header("last-event-id", "0-0");
        let status = request.send().await.expect("the host answers").status();
        assert_eq!(status, 422, "{list} {after}");
    }
    complete(&api, &lease).await;
    for list in [
        "stream",
        "stream/tail?wait_ms=30000",
        "stream/summary",
        "log/tail",
    ] {
        let url = format!("{of}/1/{list}");
        let refused = refusal(&api, &url, "application/json").await;
        assert_eq!(refused, (404, "attempt_not_found".to_owned()), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_after_the_end_or_under_a_lost_lease() {
    let (_database, api) = start().await;
    let (ended, of_ended) = held(&api, json!({})).await;
    complete(&api, &of_ended).await;
    let (retried, of_retried) = held(
        &api,
        json!({"policy": {"retry_policy": {
            "backoff": {"type": "fixed", "delay_ms": 0},
        }}}),
    )
    .await;
    let fail = json!({"lease": of_retried, "class": "transient", "code": "busy"});
    let (status, body) = api.post("/v1/leases/fail", fail).await;
    assert!(status.is_success(), "{body}");
    let (revoked, of_revoked) = held(&api, json!({})).await;
    let path = format!("/v1/executions/{revoked}/revoke-lease");
    let (status, body) = api.post(&path, json!({})).await;
    assert!(status.is_success(), "{body}");
    let append = async |lease: &str| {
        api.post("/v1/leases/frames", frame(lease, "x", json!({})))
            .await
    };
    assert_eq!(
        code(&append(&of_ended).await),
        (409, "stream_closed"),
        "{ended}"
    );
    assert_eq!(code(&append("v1.x.y").await), (400, "invalid_handle"));
    for (id, lease) in [(&retried, &of_retried), (&revoked, &of_revoked)] {
        let (status, refused) = append(lease).await;
        let name = refused["code"].as_str().expect("a code");
        // It may be that nothing runs it yet.
        let names = ["stream_closed", "stale_owner_cannot_append"];
        assert!(status == 409 && names.contains(&name), "{id}: {refused}");
    }
    for _ in 0..2 {
        claim_one(&api, "w-2").await;
    }
    for (id, lease) in [(&retried, &of_retried), (&revoked, &of_revoked)] {
        let refused = append(lease).await;
        assert_eq!(code(&refused), (409, "stale_owner_cannot_append"), "{id}");
        let (_, page) = api.get(&self::path(id, 0)).await;
        assert_eq!(page["frames"], json!([]), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_out_of_bounds_are_refused_by_name() {
    let (_database, api) = start().await;
    let (_, lease) = held(&api, json!({})).await;
    let over = "x".repeat((64 << 10) + 1);
    let most = "x".repeat(64 << 10);
    for (payload, more, refused) in [
        (&*over, json!({}), (413, "retention_limit_exceeded")),
        (
            "xx",
            json!({"max_payload_bytes": 1}),
            (413, "retention_limit_exceeded"),
        ),
        ("x", json!({"frame_type": ""}), (422, "invalid_frame_type")),
        (
            "x",
            json!({"frame_type": "a\nb"}),
            (422, "invalid_frame_type"),
        ),
        (
            "x",
            json!({"frame_type": "x".repeat(65)}),
            (422, "invalid_frame_type"),
        ),
        (
            "x",
            json!({"max_payload_bytes": (1 << 20) + 1}),
            (422, "invalid_input"),
        ),
        (
            "x",
            json!({"retention_maxlen": 1_000_001}),
            (422, "invalid_input"),
        ),
        ("x", json!({"ttl_ms": 1}), (422, "invalid_input")),
        (
            "x",
            json!({"mode": "best_effort", "ttl_ms": 0}),
            (422, "invalid_input"),
        ),
        ("x", json!({"correlation_id": ""}), (422, "invalid_input")),
        (
            "x",
            json!({"source": "x".repeat(256)}),
            (422, "invalid_input"),
        ),
        (
            "x",
            json!({"metadata": "x".repeat(8 << 10)}),
            (422, "invalid_input"),
        ),
        (
            "x",
            json!({"ts": 253_402_300_800_000_u64}),
            (422, "invalid_input"),
        ),
        ("x", json!({"encoding": "base64"}), (422, "invalid_input")),
        ("x", json!({"encoding": "latin1"}), (400, "malformed_json")),
        ("x", json!({"mode": "forever"}), (400, "malformed_json")),
        ("x", json!({"id": "1-1"}), (400, "malformed_json")),
    ] {
        let answer = api
            .post("/v1/leases/frames", frame(&lease, payload, more.clone()))
            .await;
        assert_eq!(code(&answer), refused, "{more}: {}", answer.1);
    }
    for more in [
        json!({"retention_maxlen": 0}),
        json!({"max_payload_bytes": 1 << 20}),
    ] {
        append(&api, &lease, &most, more).await;
    }
}
