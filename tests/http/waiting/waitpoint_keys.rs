//! Keys of waitpoint tokens over HTTP and on the command line.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, flowhost};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_listed_and_retired_and_never_shown() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let (status, body) = api.get("/v1/waitpoint-keys").await;
    assert_eq!((status, body), (StatusCode::OK, json!({"keys": []})));
    let secret = "5ec2e7".repeat(12);
    let first = json!({"new_kid": "k1", "new_secret_hex": secret, "actor": "alice"});
    let (status, body) = api.post("/v1/waitpoint-keys/rotate", first.clone()).await;
    let rotated = json!({"outcome": "rotated", "previous_kid": null, "kid": "k1", "forgotten": 0});
    assert_eq!((status, body), (StatusCode::OK, rotated));
    let (_, body) = api.post("/v1/waitpoint-keys/rotate", first).await;
    assert_eq!(body["outcome"], "noop");
    for (path, body, status, code) in [
        ("rotate", json!({"new_kid": "a.b"}), 422, "invalid_kid"),
        (
            "rotate",
            json!({"new_secret_hex": "00"}),
            422,
            "invalid_secret_hex",
        ),
        (
            "rotate",
            json!({"grace_ms": u64::MAX}),
            422,
            "invalid_grace_ms",
        ),
        ("rotate", json!({"grace_ms": -1}), 400, "malformed_json"),
        ("rotate", json!({"secret": "x"}), 400, "malformed_json"),
        ("rotate", json!({"actor": ""}), 422, "invalid_input"),
        (
            "rotate",
            json!({"new_kid": "k1", "new_secret_hex": "00".repeat(32)}),
            409,
            "rotation_conflict",
        ),
        ("k1/retire", json!({}), 409, "waitpoint_key_active"),
        ("k9/retire", json!({}), 404, "waitpoint_key_not_found"),
        ("..%2Fk1/retire", json!({}), 404, "waitpoint_key_not_found"),
        ("k1%00/retire", json!({}), 404, "waitpoint_key_not_found"),
    ] {
        let (found, answer) = api.post(&format!("/v1/waitpoint-keys/{path}"), body).await;
        assert_eq!(
            (found.as_u16(), &answer["code"]),
            (status, &json!(code)),
            "{path}: {answer}"
        );
        assert!(!answer.to_string().contains(&secret));
    }

    let (code, out, err) =
        flowhost(&api, &["waitpoint-key", "rotate", "k2", "--grace", "1h"]).await;
    assert_eq!(
        (code, out.as_str()),
        (0, "k2 signs; k1 did before\n"),
        "{err}"
    );
    let (code, out, err) = flowhost(&api, &["waitpoint-key", "retire", "k1"]).await;
    assert_eq!(
        (code, out.as_str()),
        (0, "tokens of k1 are refused\n"),
        "{err}"
    );
    let (code, out, err) = flowhost(&api, &["waitpoint-key", "list"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("k2") && out.contains("signs") && out.contains("refused"),
        "{out}"
    );
    let (_, out, _) = flowhost(&api, &["--json", "waitpoint-key", "list"]).await;
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    let keys = listed["keys"].as_array().expect("a list");
    let seen: Vec<_> = keys
        .iter()
        .map(|key| {
            (
                &key["kid"],
                &key["state"],
                &key["accepted"],
                &key["created_by"],
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (&json!("k2"), &json!("active"), &json!(true), &json!("bob")),
            (
                &json!("k1"),
                &json!("retiring"),
                &json!(false),
                &json!("alice")
            ),
        ]
    );
    assert!(!out.contains(&secret) && !out.contains("secret"), "{out}");
    assert!(!api.host.log().contains(&secret), "the log shows no secret");
    let (code, _, err) = flowhost(&api, &["waitpoint-key", "retire", "k2"]).await;
    assert!(
        code == 5 && err.contains("waitpoint_key_active"),
        "{code} {err}"
    );
    let (code, _, err) = flowhost(&api, &["waitpoint-key", "retire", "../x"]).await;
    assert!(code == 2 && err.contains("kid"), "{code} {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_is_seeded_once_over_http_by_command_and_by_setting() {
    let database = database().await;
    let secret = "5ec2e7".repeat(12);
    let setting = format!("k1:{secret}");
    let builder = builder(&database).environment("FLOWHOST_SECRETS_WAITPOINT_KEY", &setting);
    let api = Api::start(builder, &[]).await;
    let (_, body) = api.get("/v1/waitpoint-keys").await;
    let key = &body["keys"][0];
    assert_eq!(
        (&key["kid"], &key["created_by"]),
        (&json!("k1"), &json!("host")),
        "{body}"
    );
    let seed = |kid: &str, secret: &str| json!({"kid": kid, "secret_hex": secret});
    for (request, same) in [
        (seed("k1", &secret), true),
        (seed("k1", &"00".repeat(32)), false),
        (seed("k2", &secret), false),
    ] {
        let (status, body) = api.post("/v1/waitpoint-keys/seed", request).await;
        let wanted = json!({"outcome": "already_seeded", "kid": "k1", "same_secret": same});
        assert_eq!((status, body), (StatusCode::OK, wanted));
    }
    for (request, code) in [
        (seed("a.b", &secret), "invalid_kid"),
        (seed("k1", "00"), "invalid_secret_hex"),
    ] {
        let (status, body) = api.post("/v1/waitpoint-keys/seed", request).await;
        assert_eq!((status.as_u16(), &body["code"]), (422, &json!(code)));
    }
    assert!(!api.host.log().contains(&secret), "the log shows no secret");

    let other = testkit::database().await;
    let api = Api::start(self::builder(&other), &[]).await;
    for said in ["k9 signs; it is the first\n", "nothing was done: "] {
        let (code, out, err) = flowhost(&api, &["waitpoint-key", "seed", "k9"]).await;
        assert_eq!(code, 0, "{err}");
        assert!(out.starts_with(said), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_secrets_key_serves_and_names_the_setting() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let (status, _) = api
        .post("/v1/waitpoint-keys/rotate", json!({"new_kid": "k1"}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let other = builder(&database).environment("FLOWHOST_SECRETS_KEY", "ab".repeat(32));
    let other = Api::start(other, &[]).await;
    testkit::eventually("the log says what to set", async || {
        other.host.log().contains("secrets.key_file").then_some(())
    })
    .await;
    let same = json!({"new_kid": "k1", "new_secret_hex": "00".repeat(32)});
    let (status, body) = other.post("/v1/waitpoint-keys/rotate", same).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("secrets_key")),
        "{body}"
    );
    assert!(
        body["detail"].to_string().contains("FLOWHOST_SECRETS_KEY"),
        "{body}"
    );
}
