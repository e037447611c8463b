//! Workers that are not components suspend over HTTP and resume.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Executor as _;
use testkit::Database;

use crate::support::api::{Api, builder, code, text, with};
use crate::support::http_waiting::{ask, held, named, of, suspend, suspend_request};
use crate::support::http_work::{claim_one, claim_with, complete, grant, redeem, register, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_suspends_and_resumes_with_the_signals_received() {
    let database = testkit::database().await;
    let host = builder(&database).argument("--log").argument("trace");
    let api = Api::start(host, &[]).await;
    register(&api, "w", "w-1").await;
    let (id, lease) = held(&api, json!({})).await;

    let create = json!({"lease": lease, "waitpoint_key": "a/b", "signal_names": ["approved"]});
    let (status, made) = api.post("/v1/leases/waitpoints", create.clone()).await;
    assert_eq!(
        (status, &made["existing"]),
        (StatusCode::CREATED, &json!(false))
    );
    let (status, again) = api.post("/v1/leases/waitpoints", create).await;
    assert_eq!((status, &again["existing"]), (StatusCode::OK, &json!(true)));
    assert_eq!(made["waitpoint_id"], again["waitpoint_id"]);
    assert_ne!(made["waitpoint_token"], again["waitpoint_token"]);
    let token = text(&made["waitpoint_token"]);
    assert_eq!(
        made["callback_url"],
        format!("{}/v1/callbacks/{token}", api.host.url())
    );

    let suspended = suspend(
        &api,
        &lease,
        named("a/b", "approved"),
        json!({
            "waitpoints": [{"UsePending": {"waitpoint_id": made["waitpoint_id"]}}],
            "reason_code": "waiting_for_approval",
            "timeout_ms": 3_600_000,
            "timeout_behavior": "escalate",
            "state": {"step": 2},
            "log": "asked",
        }),
    )
    .await;
    assert_eq!(suspended["outcome"], "suspended");
    assert_eq!(suspended["id"], id.as_str());
    let bound = &suspended["waitpoints"][0];
    assert_eq!(bound["waitpoint_id"], made["waitpoint_id"]);

    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["public_state"], "suspended");
    assert_eq!(info["blocking_reason"], "waiting_for_approval");
    let waits = &info["suspension"];
    assert_eq!(waits["suspension_id"], suspended["suspension_id"]);
    assert_eq!(waits["reason_code"], "waiting_for_approval");
    assert_eq!(waits["timeout_at"], suspended["timeout_at"]);
    assert_eq!(waits["timeout_behavior"], "escalate");
    assert_eq!(waits["resume_condition"], named("a/b", "approved"));
    assert_eq!(waits["waitpoints"][0]["waitpoint_key"], "a/b");
    assert_eq!(waits["waitpoints"][0]["state"], "active");
    let (_, page) = api.get("/v1/suspended").await;
    assert_eq!(page["executions"][0]["execution_id"], id.as_str());
    assert_eq!(api.attempts(&id).await[0]["leases"][0]["log"], "asked");
    assert!(claim_with(&api, "w-1", json!({})).await.is_empty());

    let signal = json!({
        "waitpoint_token": token,
        "signal_name": "approved",
        "payload": {"by": "alice"},
        "signal_category": "approval",
        "source_type": "portal",
        "source_identity": "alice",
        "correlation_id": "order-7",
        "idempotency_key": "k",
        "dedup_ttl_ms": 60_000,
    });
    let (status, sent) = ask(&api, &id, "signal", signal.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{sent}");
    assert_eq!(sent["effect"], "resume_condition_satisfied");
    assert_eq!(sent["duplicate"], false);
    let (status, repeated) = ask(&api, &id, "signal", signal).await;
    assert_eq!(
        (status, &repeated["duplicate"]),
        (StatusCode::OK, &json!(true))
    );
    assert_eq!(repeated["signal_id"], sent["signal_id"]);

    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(
        (&claimed["id"], &claimed["attempt"], &claimed["resumes"]),
        (&json!(id), &json!(0), &json!(true))
    );
    let resumption = &claimed["resumption"];
    assert_eq!(resumption["suspension_id"], suspended["suspension_id"]);
    assert_eq!(resumption["reason"], "satisfied");
    assert_eq!(resumption["state_type"], "application/json");
    assert_eq!(resumption["state_base64"], "eyJzdGVwIjoyfQ==");
    assert_eq!(resumption["signal_count"], 1);
    let received = &resumption["signals"][0];
    assert_eq!(received["signal_id"], sent["signal_id"]);
    assert_eq!(received["waitpoint_key"], "a/b");
    assert_eq!(received["signal_name"], "approved");
    assert_eq!(received["signal_category"], "approval");
    assert_eq!(received["source_type"], "portal");
    assert_eq!(received["source_identity"], "alice");
    assert_eq!(received["correlation_id"], "order-7");
    assert_eq!(received["content_type"], "application/json");
    assert_eq!(received["payload_base64"], "eyJieSI6ImFsaWNlIn0=");
    let lease = text(&claimed["lease"]);
    let observe = |first: u32| json!({"lease": lease, "first": first});
    let (_, observed) = api.post("/v1/leases/signals", observe(0)).await;
    assert_eq!(&observed["signals"], &resumption["signals"]);
    let (_, observed) = api.post("/v1/leases/signals", observe(1)).await;
    assert_eq!(observed["signals"], json!([]));

    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info.get("suspension"), None, "it waits no more");
    let suspensions = of(&api, &id, "suspensions").await;
    assert_eq!(suspensions[0]["close_reason"], "satisfied");
    assert_eq!(suspensions[0]["satisfiers"], json!([sent["signal_id"]]));
    assert_eq!(suspensions[0]["state_bytes"], 10);
    let waitpoints = of(&api, &id, "waitpoints").await;
    assert_eq!(waitpoints[0]["close_reason"], "resumed");
    assert_eq!(waitpoints[0]["signals"], 1);
    let signals = of(&api, &id, "signals").await;
    assert_eq!(signals[0]["effect"], "resume_condition_satisfied");
    assert_eq!(signals[0]["idempotency_key"], "k");
    assert_eq!(signals[0]["token_kid"], waitpoints[0]["token_kid"]);
    complete(&api, &lease).await;

    // A reader of the output of this host can use nothing of it as a token.
    let tokens = [&made, &again, bound].map(|open| text(&open["waitpoint_token"]));
    let mut said = api.host.log();
    for path in [
        "",
        "/waitpoints",
        "/suspensions",
        "/signals",
        "/operations",
        "/history",
    ] {
        let (_, body) = api.get(&format!("/v1/executions/{id}{path}")).await;
        said.push_str(&body.to_string());
    }
    for token in tokens {
        assert!(said.len() > 10_000 && !said.contains(&token), "{token}");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn early_signals_satisfy_a_suspension_whose_key_finds_it_again() {
    let (database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let create = json!({"lease": lease, "waitpoint_key": "a"});
    let (_, open) = api.post("/v1/leases/waitpoints", create).await;
    let (_, page) = api.get("/v1/waitpoints").await;
    assert_eq!(page["waitpoints"][0]["execution_id"], id.as_str());
    assert_eq!(page["waitpoints"][0]["expires_at"], open["expires_at"]);
    let signal = json!({"waitpoint_token": open["waitpoint_token"], "signal_name": "x"});
    let (_, sent) = ask(&api, &id, "signal", signal).await;
    assert_eq!(sent["effect"], "buffered_for_pending_waitpoint", "{sent}");
    let keyed = json!({"idempotency_key": "first", "state_text": "s"});
    let answer = suspend(&api, &lease, named("a", "x"), keyed.clone()).await;
    assert_eq!(answer["outcome"], "already_satisfied");
    assert_eq!(
        answer["resumption"]["signals"][0]["signal_id"],
        sent["signal_id"]
    );
    let bound = json!([{"waitpoint_id": open["waitpoint_id"], "waitpoint_key": "a"}]);
    assert_eq!(answer["waitpoints"], bound, "{answer}");
    let again = suspend(&api, &lease, named("a", "x"), keyed).await;
    assert_eq!(again, answer);

    // A grant brings the same as a claim.
    let release = json!({"lease": lease});
    let (status, body) = api.post("/v1/leases/release", release).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, granted) = grant(&api, &id, "claim", 10_000).await;
    let (status, claimed) = redeem(&api, "claim", &granted).await;
    assert_eq!(status, StatusCode::OK, "{claimed}");
    assert_eq!(claimed["resumption"], answer["resumption"]);
    complete(&api, &text(&claimed["lease"])).await;
    database.assert_invariants().await;
}

async fn run_sql(database: &Database, statement: &'static str) {
    let mut connection = database.connection().await;
    connection.execute(statement).await.expect("runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_suspension_has_its_name() {
    let (database, api) = start().await;
    let (_, lease) = held(&api, json!({})).await;
    let create = async |body: Value| {
        let whole = with(json!({"lease": lease}), body);
        api.post("/v1/leases/waitpoints", whole).await
    };
    let (_, old) = create(json!({"waitpoint_key": "old", "expires_in_ms": 60_000})).await;
    let (_, open) = create(json!({"waitpoint_key": "open"})).await;
    let request = |condition, more| suspend_request(&lease, condition, more);
    let a = || named("a", "x");
    let bind = |binding: Value| json!({"waitpoints": [binding]});
    let used = |id: &Value| bind(json!({"UsePending": {"waitpoint_id": id}}));
    let unknown = json!("0b5f4c1e-8d3a-4f60-9a51-3f6f0f6f2a11");
    // Before a sweep comes to it.
    run_sql(
        &database,
        "UPDATE waitpoint SET expires_at = clock_timestamp() - interval '1 ms' WHERE key = 'old'",
    )
    .await;
    for (body, status, name) in [
        (
            request(named("old", "x"), used(&old["waitpoint_id"])),
            409,
            "pending_waitpoint_expired",
        ),
        (request(a(), used(&unknown)), 404, "waitpoint_not_found"),
        (
            request(
                named("open", "x"),
                bind(json!({"Fresh": {"waitpoint_key": "open"}})),
            ),
            409,
            "waitpoint_already_exists",
        ),
        (
            request(json!("TimeoutOnly"), json!({})),
            422,
            "invalid_input",
        ),
        (
            request(
                a(),
                json!({"timeout_ms": 1, "timeout_at": "2999-01-01T00:00:00Z"}),
            ),
            422,
            "invalid_input",
        ),
        (
            request(a(), json!({"timeout_at": "2000-01-01T00:00:00Z"})),
            422,
            "invalid_input",
        ),
        (request(a(), json!({"timeout_ms": 0})), 422, "invalid_input"),
        (
            request(a(), json!({"state": 1, "state_text": "1"})),
            422,
            "invalid_input",
        ),
        (
            request(a(), json!({"state_text": "x".repeat((1 << 20) + 1)})),
            413,
            "payload_too_large",
        ),
        (
            request(a(), json!({"log": "x".repeat(65_537)})),
            422,
            "invalid_input",
        ),
        (
            request(a(), json!({"idempotency_key": ""})),
            422,
            "invalid_input",
        ),
        (
            request(a(), json!({"reason_code": "boredom"})),
            400,
            "malformed_json",
        ),
        (
            request(a(), json!({"resume_policy": {"delay": 1}})),
            400,
            "malformed_json",
        ),
        (request(json!("Never"), json!({})), 400, "malformed_json"),
        (
            request(a(), json!({"state": 1, "reason": "x"})),
            400,
            "malformed_json",
        ),
        (json!({"resume_condition": a()}), 400, "malformed_json"),
        (
            json!({"lease": "v1.x", "resume_condition": a()}),
            400,
            "invalid_handle",
        ),
    ] {
        let refused = api.post("/v1/leases/suspend", body.clone()).await;
        let shown: String = body.to_string().chars().take(200).collect();
        assert_eq!(code(&refused), (status, name), "{shown}: {}", refused.1);
    }
    for (body, status, name) in [
        (
            json!({"waitpoint_key": "a\u{0}"}),
            422,
            "invalid_waitpoint_key",
        ),
        (json!({"expires_in_ms": u64::MAX}), 422, "invalid_input"),
        (json!({"signal_names": vec!["a"; 17]}), 422, "invalid_input"),
        (json!({"key": "a"}), 400, "malformed_json"),
    ] {
        let refused = create(body.clone()).await;
        assert_eq!(code(&refused), (status, name), "{body}");
    }
    let (_, many) = held(&api, json!({})).await;
    for _ in 0..256 {
        let (status, body) = api
            .post("/v1/leases/waitpoints", json!({"lease": many}))
            .await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert!(text(&body["waitpoint_key"]).starts_with("wpk:"), "{body}");
    }
    let refused = api
        .post("/v1/leases/waitpoints", json!({"lease": many}))
        .await;
    assert_eq!(code(&refused), (409, "waitpoint_limit_exceeded"));
    assert_eq!(refused.1["max"], 256);
    complete(&api, &many).await;

    let suspended = suspend(&api, &lease, named("open", "x"), json!({})).await;
    assert_eq!(
        suspended["waitpoints"][0]["waitpoint_id"],
        open["waitpoint_id"]
    );
    let refused = create(json!({})).await;
    assert_eq!(code(&refused), (409, "execution_not_active"));
    let refused = api
        .post("/v1/leases/signals", json!({"lease": lease}))
        .await;
    assert_eq!(code(&refused), (409, "execution_not_active"));
    assert_eq!(refused.1["state"], "suspended");
    // Asked again under the same lease, it succeeds again.
    let again = suspend(&api, &lease, named("open", "x"), json!({})).await;
    assert_eq!(again["suspension_id"], suspended["suspension_id"]);
    let token = &again["waitpoints"][0]["waitpoint_token"];
    let id = text(&suspended["id"]);
    let signal = json!({"waitpoint_token": token, "signal_name": "x"});
    let (status, body) = ask(&api, &id, "signal", signal).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    let lease = text(&claim_one(&api, "w-1").await["lease"]);
    complete(&api, &lease).await;
    database.assert_invariants().await;
}
