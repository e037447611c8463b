//! What a token permits, and that an invalid one teaches nothing.

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::database;

use super::client::{Seen, accepted, encoded, post, problem, send};
use crate::support::api::{Api, builder, code, text};
use crate::support::http_waiting::{ask, held, named, of, suspend, waiting};
use crate::support::http_work::{claim_one, register, start};

#[tokio::test(flavor = "multi_thread")]
async fn each_token_is_one_source_and_names_the_signals_it_may_send() {
    let (_database, api) = start().await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 2, "count_kind": "DistinctSources", "waitpoints": ["votes"],
    }});
    let (id, open) = waiting(&api, condition).await;
    let url = text(&open["callback_url"]);
    for _ in 0..3 {
        assert_eq!(post(&api, &url, "yes").await, accepted(202, "accepted"));
    }
    let body = json!({"signal_names": ["vote"], "actor": "alice"});
    let (status, second) = ask(&api, &id, "waitpoints/votes/token", body).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    let url = text(&second["callback_url"]);
    let refused = post(&api, &format!("{url}?signal=callback"), "").await;
    assert_eq!(problem(&refused), (403, "invalid_token".to_owned()));
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(
        info["public_state"], "suspended",
        "one source, however often"
    );
    assert_eq!(post(&api, &url, "yes").await, accepted(202, "accepted"));
    let signals = of(&api, &id, "signals").await;
    assert_eq!(
        signals[3]["signal_name"], "vote",
        "the only one it may send"
    );
    assert_eq!(signals[3]["effect"], "resume_condition_satisfied");
    assert_ne!(signals[0]["source_identity"], signals[3]["source_identity"]);
    let operations = of(&api, &id, "operations").await;
    assert_eq!(
        (&operations[0]["verb"], &operations[0]["actor"]),
        (&json!("mint_token"), &json!("alice"))
    );
    let token = text(&second["waitpoint_token"]);
    assert!(!json!(operations).to_string().contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_invalid_token_gets_the_same_answer() {
    let (_database, api) = start().await;
    let (other, elsewhere) = waiting(&api, named("a", "x")).await;
    let brief = json!({"policy": {"retention_ms": 1}});
    let (id, lease) = held(&api, brief).await;
    let suspended = suspend(&api, &lease, named("a", "x"), json!({})).await;
    let open = &suspended["waitpoints"][0];
    let good = text(&open["waitpoint_token"]);
    let callbacks = format!("{}/v1/callbacks/", api.host.url());
    let by_callback = async |token: &str| {
        let url = format!("{callbacks}{}?signal=x", encoded(token));
        post(&api, &url, "{}").await
    };
    let by_signal = async |id: &str, token: &str, source: Option<&str>| {
        let body = json!({"waitpoint_token": token, "signal_name": "x", "source_identity": source});
        let url = format!("{}/v1/executions/{id}/signal", api.host.url());
        let json = [("content-type", "application/json")];
        send(&api, Method::POST, &url, &json, body.to_string()).await
    };
    let seen = by_callback("v1.x").await;
    assert_eq!(problem(&seen), (403, "invalid_token".to_owned()));
    assert_eq!(seen.2, "no-store");
    let same = |token: &str, other: Seen| {
        assert_eq!(
            (other.0, &other.1, &other.3),
            (seen.0, &seen.1, &seen.3),
            "{token}"
        );
    };

    let mut bad: Vec<String> = (0..good.len())
        .map(|place| {
            let mut bytes = good.clone().into_bytes();
            bytes[place] ^= 1;
            String::from_utf8(bytes).expect("ASCII")
        })
        .collect();
    let (_, expiring) = ask(&api, &id, "waitpoints/a/token", json!({"expires_in_ms": 1})).await;
    let (_, of_y) = ask(
        &api,
        &id,
        "waitpoints/a/token",
        json!({"signal_names": ["y"]}),
    )
    .await;
    let expired = text(&expiring["waitpoint_token"]);
    testkit::eventually("the token expired", async || {
        let (_, now) = ask(&api, &id, "waitpoints/a/token", json!({})).await;
        (text(&now["waitpoint_token"]) != expired && by_callback(&expired).await.0 == 403)
            .then_some(())
    })
    .await;
    bad.extend([
        expired,
        text(&of_y["waitpoint_token"]),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        " ".to_owned(),
        "x".repeat(4000),
        "\u{0}".to_owned(),
        "é".to_owned(),
    ]);
    for token in &bad {
        same(token, by_callback(token).await);
        same(token, by_signal(&id, token, None).await);
        same(token, by_signal(&id, token, Some("me")).await);
    }
    // Good, but not for this.
    let token = text(&elsewhere["waitpoint_token"]);
    same(&token, by_signal(&id, &token, None).await);
    same(&token, by_signal(&id, &token, Some("me")).await);
    let unknown = "00000000-0000-7000-8000-000000000000";
    same(&token, by_signal(unknown, &token, None).await);
    // A path that is not valid text.
    same(
        "%FF",
        post(&api, &format!("{callbacks}%FF?signal=x"), "{}").await,
    );
    for id in [&id, &other] {
        assert!(
            of(&api, id, "signals").await.is_empty(),
            "nothing was accepted"
        );
    }

    // Of a key that was taken away.
    let rotate = json!({"grace_ms": 0});
    let (status, body) = api.post("/v1/waitpoint-keys/rotate", rotate).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    same(&good, by_callback(&good).await);
    same(&good, by_signal(&id, &good, Some("me")).await);
    let (_, fresh) = ask(&api, &id, "waitpoints/a/token", json!({})).await;
    let fresh = text(&fresh["waitpoint_token"]);
    assert_eq!(by_callback(&fresh).await.0, 202, "and a new one is good");
    // Of an execution that was removed.
    let lease = text(&claim_one(&api, "w-1").await["lease"]);
    let done = json!({"lease": lease, "result": 1});
    assert_eq!(
        api.post("/v1/leases/complete", done).await.0,
        StatusCode::OK
    );
    testkit::eventually("it was removed", async || {
        let answer = api.get(&format!("/v1/executions/{id}")).await;
        (answer.0 == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    same(&fresh, by_callback(&fresh).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn callback_urls_use_the_public_url_and_appear_in_no_log() {
    let database = database().await;
    let host = builder(&database)
        .argument("--public-url")
        .argument("https://flow.example.com/hooks/")
        .argument("--log")
        .argument("trace");
    let api = Api::start(host, &[]).await;
    register(&api, "w", "w-1").await;
    let (id, lease) = held(&api, json!({})).await;
    let suspended = suspend(&api, &lease, named("a", "x"), json!({})).await;
    let open = &suspended["waitpoints"][0];
    let token = text(&open["waitpoint_token"]);
    assert_eq!(
        open["callback_url"],
        format!("https://flow.example.com/hooks/v1/callbacks/{token}")
    );
    let here = format!("{}/v1/callbacks/{token}", api.host.url());
    send(&api, Method::GET, &here, &[], "").await;
    send(&api, Method::OPTIONS, &format!("{here}/"), &[], "").await;
    post(&api, &format!("{here}/more"), "").await;
    post(&api, &format!("{here}%zz/?a=%ff"), "").await;
    post(&api, &format!("{here} /"), "").await;
    post(&api, &format!("{here}A"), "").await;
    post(&api, &format!("{here}?wrong=1"), "").await;
    assert_eq!(
        post(&api, &format!("{here}?signal=x"), "").await,
        accepted(202, "accepted")
    );
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["public_state"], "waiting");
    let (log, code_of_it) = (api.host.log(), token.rsplit('.').next().expect("a code"));
    assert!(log.len() > 10_000, "the log shows what happened");
    assert!(!log.contains(code_of_it), "and no token");
    let (_, metrics) = api.get("/metrics").await;
    let metrics = metrics.as_str().unwrap_or_default();
    assert!(!metrics.contains(code_of_it));
    let refused = "flowhost_signals_total{outcome=\"invalid_token\"} 2\n";
    assert!(metrics.contains(refused), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_reveal_nothing_when_a_host_cannot_read_secrets() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    register(&api, "w", "w-1").await;
    let (id, open) = waiting(&api, named("a", "x")).await;
    let token = text(&open["waitpoint_token"]);
    let other = builder(&database).environment("FLOWHOST_SECRETS_KEY", "ab".repeat(32));
    let other = Api::start(other, &[]).await;
    let url = format!("{}/v1/callbacks/{token}", other.host.url());
    let seen = post(&other, &url, "").await;
    assert_eq!(problem(&seen), (503, "unavailable".to_owned()));
    assert!(!seen.3.contains("secret"), "{}", seen.3);
    let body = json!({"waitpoint_token": token, "signal_name": "x"});
    let refused = ask(&other, &id, "signal", body).await;
    assert_eq!(code(&refused), (503, "secrets_key"), "its operator is told");
}
