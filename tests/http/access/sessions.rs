//! What hosts remember of keys: nothing for longer than a second, and no request stays open
//! with a key that is gone.

use std::time::{Duration, Instant};

use model::{Role, Scope};
use reqwest::Method;
use serde_json::json;
use testkit::Answered;

use super::guarded::{Guarded, another_host};

/// A second, and what a request and a statement may take beside it on a busy machine.
const WITHIN: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_in_use_is_refused_on_another_host_within_a_second() {
    let host = Guarded::start().await;
    let other = another_host(&host.database).await;
    let key = host.key("reader", Role::Viewer, None).await;
    let client = reqwest::Client::new();
    let ask = async || {
        let request = client.get(format!("{}/v1/lanes", other.url()));
        let response = request
            .bearer_auth(&key.text)
            .send()
            .await
            .expect("answers");
        response.status().as_u16()
    };
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(300) {
        assert_eq!(ask().await, 200, "it is in use");
    }
    let revoked = host
        .engine
        .revoke_api_key(key.id, &Scope::Everywhere, "tests");
    revoked.await.accepted();
    let revoked = Instant::now();
    while ask().await == 200 {
        assert!(revoked.elapsed() < WITHIN, "it is still accepted");
    }
    assert_eq!(ask().await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_ends_with_its_key() {
    let host = Guarded::start().await;
    host.word().await;
    let worker = host.key("worker", Role::Worker, Some("a")).await;
    let reader = host.key("reader", Role::Operator, Some("a")).await;
    let id = host
        .create(&reader, json!({"kind": "word", "delay_ms": 60_000}))
        .await;
    let claim = json!({"kinds": ["word"], "wait_ms": 30_000});
    let claims = host.raw(
        Some(&worker.text),
        Method::POST,
        "/v1/workers/w-1/claim",
        Some(&claim),
    );
    let path = format!("/v1/executions/{id}/wait?timeout_ms=30000");
    let waits = host.raw(Some(&reader.text), Method::GET, &path, None);
    let revokes = async {
        // So that both wait by then; either way the answer is the same.
        tokio::time::sleep(Duration::from_millis(500)).await;
        for key in [&worker, &reader] {
            let revoked = host
                .engine
                .revoke_api_key(key.id, &Scope::Everywhere, "tests");
            revoked.await.accepted();
        }
        Instant::now()
    };
    let (claimed, waited, revoked) = tokio::join!(
        async { (claims.await, Instant::now()) },
        async { (waits.await, Instant::now()) },
        revokes
    );
    for (answer, at) in [claimed, waited] {
        assert_eq!(answer.0, 401, "{answer:?}");
        assert!(
            at.saturating_duration_since(revoked) < 2 * WITHIN,
            "{answer:?}"
        );
    }
}
