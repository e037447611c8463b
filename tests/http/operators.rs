//! Operators over HTTP and on the command line, against a host that runs real
//! components.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, flowhost};

async fn verb(api: &Api, id: &str, verb: &str, body: Value) -> (StatusCode, Value) {
    let method = match verb {
        "priority" => Method::PUT,
        "tags" => Method::PATCH,
        _ => Method::POST,
    };
    api.ask(method, &format!("/v1/executions/{id}/{verb}"), Some(body))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_move_executions_over_http() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo", "slow"]).await;
    let (status, body) = api
        .ask(
            Method::PUT,
            "/v1/lanes/held",
            Some(json!({"state": "paused"})),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let waiting = json!({"kind": "echo", "lane": "held", "input_text": "x"});
    let id = api.create(waiting).await;

    let (status, body) = verb(
        &api,
        &id,
        "hold",
        json!({"actor": "alice", "reason": "wait"}),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["blocking_reason"], "paused_by_operator");
    assert_eq!(
        body["state_vector"]["eligibility_state"],
        "blocked_by_operator"
    );
    let (status, body) = verb(
        &api,
        &id,
        "unblock",
        json!({"expected_reason": "waiting_for_quota"}),
    )
    .await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::CONFLICT, &json!("execution_not_eligible"))
    );
    assert_eq!(body["blocking_reason"], "paused_by_operator");
    assert_eq!(body["state"], "blocked");
    let (status, body) = verb(&api, &id, "priority", json!({"priority": 42})).await;
    assert_eq!((status, &body["priority"]), (StatusCode::OK, &json!(42)));
    let (status, body) = verb(&api, &id, "unhold", json!({})).await;
    assert_eq!(
        (status, &body["blocking_reason"]),
        (StatusCode::OK, &json!("paused_by_policy")),
        "its lane is paused"
    );
    assert_eq!(
        body["state_vector"]["eligibility_state"],
        "blocked_by_lane_state"
    );
    let (status, body) = verb(
        &api,
        &id,
        "block",
        json!({"blocking_reason": "waiting_for_quota"}),
    )
    .await;
    assert_eq!(
        (status, &body["public_state"]),
        (StatusCode::OK, &json!("rate_limited"))
    );
    let (status, _) = verb(&api, &id, "unblock", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    for (name, body, code) in [
        ("replay", json!({}), "execution_not_terminal"),
        ("revoke-lease", json!({}), "no_active_lease"),
        ("complete", json!({"result": 1}), "execution_not_active"),
        (
            "fail",
            json!({"class": "transient", "code": "a", "message": ""}),
            "execution_not_active",
        ),
        ("delay", json!({"delay_ms": 1}), "execution_not_active"),
        ("priority", json!({"priority": 9001}), "invalid_input"),
        (
            "complete",
            json!({"result": 1, "result_text": "1"}),
            "invalid_input",
        ),
        ("cancel", json!({"source": "No Name"}), "invalid_input"),
        ("hold", json!({"actor": ""}), "invalid_input"),
    ] {
        let (_, answer) = verb(&api, &id, name, body).await;
        assert_eq!(answer["code"], code, "{name}: {answer}");
    }
    let (status, body) = verb(&api, &id, "expire", json!({"actor": "alice"})).await;
    assert_eq!(
        (status, &body["public_state"]),
        (StatusCode::OK, &json!("expired"))
    );
    let (_, input) = api.get(&format!("/v1/executions/{id}/input")).await;
    assert_eq!(input, json!("x"));
    let (_, policy) = api.get(&format!("/v1/executions/{id}/policy")).await;
    assert_eq!(policy["retry_policy"]["max_retries"], 3);
    let (_, page) = api.get("/v1/leases/expired?limit=1").await;
    assert_eq!(page, json!({"leases": []}));
    let (_, page) = api.get("/v1/suspended").await;
    assert_eq!(page, json!({"executions": []}));
    let (_, page) = api.get("/v1/lanes?limit=1").await;
    assert_eq!(page["lanes"][0]["name"], "default");
    let next = page["next_cursor"].as_str().expect("more");
    let (_, page) = api.get(&format!("/v1/lanes?after={next}")).await;
    assert_eq!(page["lanes"][0]["name"], "held");
    let (_, body) = api.get(&format!("/v1/executions/{id}/operations")).await;
    let verbs: Vec<_> = body["operations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["verb"].clone(), entry["actor"].clone()))
        .collect();
    let wanted = [
        ("block", "alice"),
        ("prioritise", "api"),
        ("unblock", "api"),
        ("block", "api"),
        ("unblock", "api"),
        ("expire", "alice"),
    ];
    assert_eq!(
        verbs,
        wanted.map(|(verb, actor)| (json!(verb), json!(actor)))
    );
    let (_, body) = api.get(&format!("/v1/executions/{id}/history")).await;
    assert!(
        body.to_string().contains("alice: paused_by_operator: wait"),
        "{body}"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_ends_a_running_execution_and_stops_its_guest() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo", "slow"]).await;
    let long = json!({"kind": "slow", "input_text": "600000"});
    let id = api.create(long.clone()).await;
    api.until(&id, "active").await;
    let (status, body) = verb(&api, &id, "complete", json!({"result": {"by": "hand"}})).await;
    assert_eq!(
        (status, &body["public_state"]),
        (StatusCode::OK, &json!("completed")),
        "{body}"
    );
    let (content_type, result) = api.result(&id).await;
    assert_eq!(content_type, "application/json");
    assert_eq!(
        result,
        br#"{"by": "hand"}"#.to_vec().into_iter().filter(|b| *b != b' ').collect::<Vec<_>>()
    );
    // The guest is stopped: the slot is free again.
    testkit::eventually("no sandbox is left", async || {
        let (_, metrics) = api.get("/metrics").await;
        let text = metrics.as_str().unwrap_or_default().to_owned();
        text.lines()
            .any(|line| line.starts_with("flowhost_sandboxes_live ") && line.ends_with(" 0"))
            .then_some(())
    })
    .await;

    let (code, out, err) = flowhost(&api, &["replay", &id, "--reason", "again"]).await;
    assert_eq!(code, 0, "{out}{err}");
    api.until(&id, "active").await;
    let lease = api.until(&id, "active").await["current_lease"]["lease_id"].clone();
    let lease = lease.as_str().expect("it is held");
    let revoke = ["revoke", &id, "--lease", lease];
    let (code, out, err) = flowhost(&api, &revoke).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with(&format!("lease {lease} (epoch ")), "{out}");
    assert!(out.ends_with("revoked\n"), "{out}");
    let (_, out, _) = flowhost(&api, &revoke).await;
    assert!(out.ends_with("was revoked before\n"), "{out}");
    let expected = json!({"expected_lease_id": lease});
    let (status, body) = verb(&api, &id, "revoke-lease", expected).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["lease_id"], &body["already"]),
        (&json!(lease), &json!("already_revoked"))
    );
    assert!(body["epoch"].is_u64(), "{body}");
    let running = api.until(&id, "active").await;
    assert_eq!(running["attempts"], 3, "{running}");
    let (code, out, err) = flowhost(&api, &["override", "fail", &id, "hopeless"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("failed"), "{out}");
    let (code, _, err) = flowhost(&api, &["hold", &id]).await;
    assert!(err.contains("execution_not_eligible"), "{err}");
    assert_ne!(code, 0);
    let (code, out, err) = flowhost(&api, &["tag", &id, "app.seen=yes"]).await;
    assert_eq!((code, out.as_str()), (0, "app.seen=yes\n"), "{err}");
    let (_, out, _) = flowhost(&api, &["--json", "tag", &id]).await;
    let tags: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(tags, json!({"tags": {"app.seen": "yes"}}));
    let (_, out, _) = flowhost(&api, &["show", &id]).await;
    assert!(out.contains("replay by bob: success: again"), "{out}");
    let (_, body) = api.get(&format!("/v1/executions/{id}/operations")).await;
    let actors: Vec<_> = body["operations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["actor"].clone())
        .collect();
    assert_eq!(actors, ["api", "bob", "bob", "bob", "bob"]);
    database.assert_invariants().await;
}
