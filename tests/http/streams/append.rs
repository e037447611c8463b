//! What native workers append, one or many at a time.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::work::{append, append_many, frame, ids, path, payloads, read};
use crate::support::api::{code, text};
use crate::support::http_waiting::held;
use crate::support::http_work::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_read_with_the_fields_it_was_appended_with() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let empty = read(&api, &id, "").await;
    assert_eq!(empty, json!({"frames": [], "count": 0}));
    let plain = append(&api, &lease, "größe\n", json!({})).await;
    assert_eq!(plain["id"], id.as_str());
    assert_eq!(plain["frame_count"], 1);
    let whole = json!({
        "frame_type": "image", "payload": "/wAB", "encoding": "base64", "ts": 1_900_000_000_123_u64,
        "metadata": {"model": "m"}, "correlation_id": "request 7", "source": "camera",
        "mode": "best_effort", "ttl_ms": 60_000,
    });
    let bytes = append(&api, &lease, "", whole).await;
    assert_eq!(bytes["frame_count"], 2);
    let page = read(&api, &id, "").await;
    assert_eq!(
        ids(&page),
        [text(&plain["entry_id"]), text(&bytes["entry_id"])]
    );
    let fields = &page["frames"][0]["fields"];
    let ms = text(&plain["entry_id"]);
    let ms = ms.split('-').next().expect("milliseconds");
    assert_eq!(
        fields,
        &json!({
            "frame_type": "word", "mode": "durable", "payload": "größe\n", "encoding": "utf8",
            "source": "worker", "ts": ms,
        })
    );
    assert_eq!(
        page["frames"][1]["fields"],
        json!({
            "frame_type": "image", "mode": "best_effort", "payload": "/wAB", "encoding": "base64",
            "source": "camera", "ts": "1900000000123", "metadata": "{\"model\":\"m\"}",
            "correlation_id": "request 7", "ttl_ms": "60000",
        })
    );
    let lasting = read(&api, &id, "?visibility=exclude_best_effort").await;
    assert_eq!(payloads(&lasting), ["größe\n"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_frames_are_appended_in_their_order_and_each_is_answered() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let (other, other_lease) = held(&api, json!({})).await;
    let body = json!({"leases": [
        frame(&lease, "a", json!({})),
        frame("v1.x.y", "?", json!({})),
        frame(&other_lease, "z", json!({})),
        frame(&lease, "?", json!({"encoding": "base64"})),
        frame(&lease, "b", json!({"frame_type": "end"})),
        frame(&lease, "?", json!({"frame_type": ""})),
        frame(&lease, "?", json!({"unknown": 1})),
        frame(&lease, &"x".repeat((64 << 10) + 1), json!({})),
    ]});
    let (status, body) = api.post("/v1/leases/frames", body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let results = body["results"].as_array().expect("a list");
    let told = |result: &Value| match result["outcome"]["outcome"].as_str() {
        Some(outcome) => (200, outcome.to_owned()),
        None => {
            let status = result["status"].as_u64().expect("a status");
            (status, text(&result["problem"]["code"]))
        }
    };
    let told: Vec<_> = results.iter().map(told).collect();
    let told: Vec<_> = told
        .iter()
        .map(|(status, name)| (*status, &**name))
        .collect();
    assert_eq!(
        told,
        [
            (200, "appended"),
            (400, "invalid_handle"),
            (200, "appended"),
            (422, "invalid_input"),
            (200, "appended"),
            (422, "invalid_frame_type"),
            (400, "malformed_json"),
            (413, "retention_limit_exceeded"),
        ]
    );
    assert_eq!(payloads(&read(&api, &id, "").await), ["a", "b"]);
    assert_eq!(payloads(&read(&api, &other, "").await), ["z"]);
    // Large frames do not share a statement with small ones, and keep their order.
    let large = |of: &str| of.repeat(64 << 10);
    let mixed = ["c".to_owned(), large("d"), large("e"), "f".to_owned()];
    append_many(&api, &other_lease, &mixed).await;
    let page = read(&api, &other, "?limit=10").await;
    let begin: Vec<_> = payloads(&page)
        .iter()
        .map(|it| it[..1].to_owned())
        .collect();
    assert_eq!(begin.concat(), "zcdef");
    let many: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    let appended = append_many(&api, &lease, &many).await;
    let page = read(&api, &id, "?limit=1000").await;
    assert_eq!(payloads(&page)[2..], many);
    assert_eq!(ids(&page)[2..], appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_make_a_summary_with_a_version() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let none = read(&api, &id, "/summary").await;
    assert_eq!(none, json!({"document": null, "version": 0}));
    let patch = json!({"mode": "durable_summary"});
    for (payload, version) in [
        (r#"{"a": {"b": 1, "c": 2}, "d": "x"}"#, 1),
        (r#"{"a": {"b": null}, "d": "__ff_null__"}"#, 2),
    ] {
        let appended = append(&api, &lease, payload, patch.clone()).await;
        assert_eq!(appended["summary_version"], version, "{appended}");
    }
    let summary = read(&api, &id, "/summary").await;
    assert_eq!(summary["document"], json!({"a": {"c": 2}, "d": null}));
    assert_eq!(summary["version"], 2);
    for at in ["first_applied_at", "last_updated_at"] {
        assert!(summary[at].is_string(), "{summary}");
    }
    let page = read(&api, &id, "").await;
    assert_eq!(page["frames"][1]["fields"]["summary_version"], "2");
    let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
    for (payload, refused) in [
        ("[]", (422, "invalid_input")),
        ("{", (422, "invalid_input")),
        (&deep, (422, "patch_depth_exceeded")),
    ] {
        let body = frame(&lease, payload, patch.clone());
        assert_eq!(code(&api.post("/v1/leases/frames", body).await), refused);
    }
    assert_eq!(read(&api, &id, "/summary").await["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_as_many_frames_as_its_policy_says_and_counts_them_all() {
    let (_database, api) = start().await;
    let policy = json!({"policy": {"stream_policy": {"retention_maxlen": 3}}});
    let (id, lease) = held(&api, policy).await;
    let many: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    append_many(&api, &lease, &many).await;
    let last = append(&api, &lease, "10", json!({})).await;
    assert_eq!(last["frame_count"], 11);
    assert_eq!(payloads(&read(&api, &id, "").await), ["8", "9", "10"]);
    let (status, _) = api.get(&path(&id, 1)).await;
    assert_eq!(status, StatusCode::OK, "it may yet begin");
}
