//! Real components on a real host: examples do their job, hostile guests are
//! contained, and each way to fail has its name.

use std::time::Instant;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{database, guest};

use crate::support::api::{Api, SOON, builder, once};

fn failure(info: &Value) -> (&str, &str) {
    let failure = &info["failure"];
    (
        failure["class"].as_str().unwrap_or("none"),
        failure["code"].as_str().unwrap_or("none"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_do_their_job() {
    let database = database().await;
    let api = Api::start(
        builder(&database),
        &["thumbnail", "csv-report", "flaky", "word-count"],
    )
    .await;
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/guest-examples/samples");
    let picture = std::fs::read(format!("{samples}/harbour.png")).expect("the sample");
    let response = api
        .client
        .post(format!("{}/v1/executions?kind=thumbnail", api.host.url()))
        .header("content-type", "image/png")
        .body(picture)
        .send()
        .await
        .expect("the host answers");
    assert_eq!(response.status(), StatusCode::CREATED);
    let created: Value = response.json().await.expect("JSON");
    let id = created["id"].as_str().expect("an id");
    assert_eq!(api.wait(id).await["public_state"], "completed");
    let (content_type, thumbnail) = api.result(id).await;
    assert_eq!(content_type, "image/png");
    assert!(thumbnail.starts_with(b"\x89PNG"), "a PNG");
    let width = u32::from_be_bytes(thumbnail[16..20].try_into().expect("a header"));
    let height = u32::from_be_bytes(thumbnail[20..24].try_into().expect("a header"));
    assert_eq!(width.max(height), 128);
    let attempts = api.attempts(id).await;
    let log = attempts[0]["leases"][0]["log"].as_str().expect("a log");
    assert!(log.contains("128"), "{log}");

    let table = std::fs::read_to_string(format!("{samples}/sales.csv")).expect("the sample");
    let info = api
        .run(json!({"kind": "csv-report", "input_text": table, "content_type": "text/csv"}))
        .await;
    assert_eq!(info["public_state"], "completed");
    let (_, report) = api.result(info["id"].as_str().expect("an id")).await;
    serde_json::from_slice::<Value>(&report).expect("a report is JSON");

    let info = api
        .run(json!({"kind": "word-count", "input_text": "one two two", "content_type": "text/plain"}))
        .await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let (_, counts) = api.result(info["id"].as_str().expect("an id")).await;
    let counts: Value = serde_json::from_slice(&counts).expect("JSON");
    assert_eq!(counts["words"], 3, "{counts}");

    let info = api
        .run(
            json!({"kind": "flaky", "input": {"fail_times": 2}, "policy": {
            "retry_policy": {"max_retries": 3, "backoff": {"type": "fixed", "delay_ms": 10}}}}),
        )
        .await;
    assert_eq!(
        (&info["public_state"], &info["attempts"]),
        (&json!("completed"), &json!(3))
    );
    let attempts = api.attempts(info["id"].as_str().expect("an id")).await;
    assert_eq!(attempts[0]["leases"][0]["failure"]["code"], "not_yet");
    assert_eq!(attempts[2]["attempt_type"], "retry");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_creates_executions_once_though_it_is_retried() {
    let database = database().await;
    let api = Api::start(builder(&database), &["children", "echo"]).await;
    let info = api
        .run(json!({"kind": "children", "input_text": "a\nb\nc"}))
        .await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let (_, first) = api.result(info["id"].as_str().expect("an id")).await;
    let (_, list) = api.get("/v1/executions?kind=echo").await;
    assert_eq!(
        list["executions"].as_array().map(Vec::len),
        Some(3),
        "{list}"
    );
    assert!(!first.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_guests_fail_with_their_own_codes_and_do_not_harm_the_host() {
    let database = database().await;
    let hostile = [
        "spinner",
        "memory-hog",
        "trapper",
        "giant-result",
        "deep-recursion",
        "log-flood",
        "handle-hoard",
    ];
    let builder = builder(&database)
        .environment("FLOWHOST_SANDBOX_CPU_MS_MAX", "2000")
        .argument("--slots")
        .argument("16");
    let api = Api::start(builder, &[&hostile[..], &["echo"]].concat()).await;
    let cases = [
        ("spinner", "", "timeout", "cpu_limit"),
        ("memory-hog", "", "permanent", "memory_limit"),
        ("trapper", "unreachable", "transient", "guest_trap"),
        ("trapper", "panic", "transient", "guest_trap"),
        ("trapper", "divide", "transient", "guest_trap"),
        ("trapper", "oob", "transient", "guest_trap"),
        ("giant-result", "2097152", "permanent", "result_too_large"),
        ("deep-recursion", "", "permanent", "stack_overflow"),
        ("handle-hoard", "", "permanent", "handle_limit"),
    ];
    let mut wrong = Vec::new();
    for (kind, input, class, code) in cases {
        let started = Instant::now();
        let info = api.run(once(kind, input)).await;
        if failure(&info) != (class, code) || info["public_state"] != "failed" {
            wrong.push(format!("{kind} {input}: {}", info["failure"]));
        }
        if started.elapsed() > SOON {
            wrong.push(format!("{kind} took {:?}", started.elapsed()));
        }
        // A neighbour is served as if nothing happened.
        let echo = api.run(once("echo", "still here")).await;
        assert_eq!(echo["public_state"], "completed", "after {kind}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let info = api.run(once("log-flood", "5000")).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let attempts = api.attempts(info["id"].as_str().expect("an id")).await;
    let log = attempts[0]["leases"][0]["log"].as_str().expect("a log");
    assert!(
        log.len() < 300 * 1024,
        "{} bytes of log are kept",
        log.len()
    );
    assert!(
        log.contains("dropped"),
        "{}",
        &log[log.len().saturating_sub(200)..]
    );

    let trapped = api.run(once("trapper", "panic")).await;
    let attempts = api.attempts(trapped["id"].as_str().expect("an id")).await;
    let failure = &attempts[0]["leases"][0]["failure"];
    let backtrace = failure["backtrace"].as_str().expect("a backtrace");
    assert!(
        backtrace.contains("trapper"),
        "function names are kept: {backtrace}"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_stopped_at_its_time_limit() {
    let database = database().await;
    let api = Api::start(builder(&database), &["slow", "spinner"]).await;
    for (kind, input) in [("slow", "60000"), ("spinner", "")] {
        let started = Instant::now();
        let info = api
            .run(json!({"kind": kind, "input_text": input, "policy": {
                "retry_policy": {"max_retries": 0},
                "timeout_policy": {"attempt_timeout_ms": 300}}}))
            .await;
        assert_eq!(info["public_state"], "expired", "{kind}: {info}");
        assert_eq!(info["failure"]["code"], "attempt_timeout", "{kind}");
        assert!(
            started.elapsed() < SOON,
            "{kind} took {:?}",
            started.elapsed()
        );
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_attempt_is_stopped_and_frees_its_slot() {
    let database = database().await;
    let builder = builder(&database).argument("--slots").argument("1");
    let api = Api::start(builder, &["slow", "echo"]).await;
    let id = api.create(once("slow", "120000")).await;
    api.until(&id, "active").await;
    let (status, body) = api
        .post(
            &format!("/v1/executions/{id}/cancel"),
            json!({"reason": "changed my mind"}),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(api.wait(&id).await["public_state"], "cancelled");
    let echo = api.run(once("echo", "the slot is free")).await;
    assert_eq!(echo["public_state"], "completed");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_while_its_handler_runs() {
    let database = database().await;
    let builder = builder(&database).argument("--lease-ttl").argument("1s");
    let api = Api::start(builder, &["slow"]).await;
    let info = api.run(once("slow", "2500")).await;
    assert_eq!(
        (&info["public_state"], &info["attempts"]),
        (&json!("completed"), &json!(1))
    );
    let attempts = api.attempts(info["id"].as_str().expect("an id")).await;
    let renewals = attempts[0]["leases"][0]["renewals"]
        .as_u64()
        .expect("a count");
    assert!(
        renewals >= 2,
        "{renewals} renewals in two and a half times the TTL"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_a_runnable_component_are_refused_when_published() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let mut truncated = guest("echo");
    truncated.truncate(truncated.len() / 2);
    let core_module = b"\0asm\x01\0\0\0".to_vec();
    let cases = [
        (Vec::new(), "not_a_component", "an empty file"),
        (b"hello".to_vec(), "not_a_component", "text"),
        (core_module, "not_a_component", "wasm32-wasip2"),
        (truncated, "component_malformed", "Build it again"),
        (
            guest("wrong-world"),
            "component_exports",
            "flowhost:engine/attempt@0.1.0",
        ),
    ];
    for (bytes, code, said) in cases {
        let (status, body) = api.publish(bytes, "bad").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(body["code"], code, "{body}");
        let detail = body["detail"].as_str().expect("a detail");
        assert!(detail.contains(said), "{detail}");
    }
    let (_, kinds) = api.get("/v1/kinds").await;
    assert!(
        !kinds.to_string().contains("bad"),
        "nothing was routed: {kinds}"
    );
}
