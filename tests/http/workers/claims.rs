//! Claims of workers that are not components, as a program meets them over HTTP.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Executor as _;
use testkit::eventually;

use crate::support::api::{Api, builder, code};
use crate::support::http_work::{claim_one, claim_with, grant, hosts_are, redeem, start, word};

#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_a_native_worker_is_the_result_of_the_execution() {
    let (database, api) = start().await;
    let id = api
        .create(json!({
            "kind": "word", "input_base64": "AP8K", "content_type": "application/x-bytes",
            "tags": {"app.customer": "42"},
            "policy": {"timeout_policy": {"attempt_timeout_ms": 60_000}},
        }))
        .await;
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["id"], id.as_str());
    assert_eq!(claimed["input_base64"], "AP8K");
    assert_eq!(claimed["content_type"], "application/x-bytes");
    assert_eq!(claimed["tags"], json!({"app.customer": "42"}));
    assert_eq!(claimed["attempt"], 0);
    assert_eq!(claimed["attempt_type"], "initial");
    assert_eq!(claimed["attempt_timeout_ms"], 60_000);
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["current_lease"]["worker_instance_id"], "w-1");
    assert_eq!(
        info["current_lease"]["expires_at"],
        claimed["lease_expires_at"]
    );

    let lease = claimed["lease"].as_str().expect("a handle");
    let progress = json!({"lease": lease, "percent": 40, "message": "halfway"});
    let (status, body) = api.post("/v1/leases/progress", progress).await;
    assert_eq!(
        (status, &body["outcome"]),
        (StatusCode::OK, &json!("noted"))
    );
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["progress"]["percent"], 40);

    let done = json!({"lease": lease, "result": {"n": 1.0}, "log": "one line"});
    for _ in 0..2 {
        let (status, body) = api.post("/v1/leases/complete", done.clone()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["outcome"], "completed");
    }
    let (content_type, result) = api.result(&id).await;
    assert_eq!(content_type, "application/json");
    assert_eq!(result, br#"{"n":1.0}"#);
    let attempts = api.attempts(&id).await;
    assert_eq!(attempts[0]["leases"][0]["log"], "one line");
    let other = json!({"lease": lease, "result": {"n": 2}});
    let refused = api.post("/v1/leases/complete", other).await;
    assert_eq!(code(&refused), (409, "execution_not_active"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_claim_is_woken_by_a_create() {
    let (_database, api) = start().await;
    let waiting = claim_with(&api, "w-1", json!({"wait_ms": 20_000}));
    let created = async {
        // The claim looks by itself 2750 and 3750 ms after it was asked for.
        let nothing = json!({"wait_ms": 2850});
        assert!(claim_with(&api, "w-2", nothing).await.is_empty());
        let sent = Instant::now();
        (api.create(word("hello")).await, sent)
    };
    let (claimed, (id, sent)) = tokio::join!(waiting, created);
    assert_eq!(claimed[0]["id"], id.as_str());
    let waited = sent.elapsed();
    assert!(
        waited < Duration::from_millis(700),
        "woken late: {waited:?}"
    );
    let started = Instant::now();
    assert!(
        claim_with(&api, "w-1", json!({"wait_ms": 300}))
            .await
            .is_empty()
    );
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_pollers_get_one_execution() {
    let (database, api) = start().await;
    let pollers = (0..8).map(|number| {
        let api = &api;
        async move {
            let mut got = Vec::new();
            let worker = format!("poller-{number}");
            loop {
                let wanted = json!({"max": 3, "wait_ms": 1500});
                let claimed = claim_with(api, &worker, wanted).await;
                if claimed.is_empty() {
                    return got;
                }
                let leases: Vec<_> = claimed
                    .iter()
                    .map(|one| json!({"lease": one["lease"], "result_text": worker}))
                    .collect();
                let (status, body) = api
                    .post("/v1/leases/complete", json!({"leases": leases}))
                    .await;
                assert_eq!(status, StatusCode::OK, "{body}");
                for verdict in body["results"].as_array().expect("a list") {
                    assert_eq!(verdict["status"], 200, "{verdict}");
                }
                got.extend(claimed.into_iter().map(|one| one["id"].clone().to_string()));
            }
        }
    });
    let creating = async {
        let mut made = Vec::new();
        for number in 0..60 {
            made.push(json!(api.create(word(&number.to_string())).await).to_string());
        }
        made
    };
    let (got, mut made) = tokio::join!(futures::future::join_all(pollers), creating);
    let mut got: Vec<_> = got.into_iter().flatten().collect();
    got.sort();
    made.sort();
    assert_eq!(got, made);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_poller_leaves_no_lease_behind() {
    let (_database, api) = start().await;
    let url = format!("{}/v1/workers/gone/claim", api.host.url());
    for _ in 0..10 {
        let request = api
            .client
            .post(&url)
            .json(&json!({"kinds": ["word"], "wait_ms": 20_000}))
            .timeout(Duration::from_millis(50));
        assert!(request.send().await.is_err(), "nothing was ready");
    }
    let id = api.create(word("for a worker that is there")).await;
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["id"], id.as_str());
    assert_eq!(claimed["attempt"], 0, "no other worker was given it");
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_claimed_for_a_disconnected_client_are_returned() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    // Holds the claim up within the database.
    let mut blocker = database.connection().await;
    for statement in ["BEGIN", "LOCK TABLE ready IN EXCLUSIVE MODE"] {
        blocker.execute(statement).await.expect("locked");
    }
    let request = api
        .client
        .post(format!("{}/v1/workers/gone/claim", api.host.url()))
        .json(&json!({"kinds": ["word"], "wait_ms": 20_000}))
        .send();
    let asking = tokio::spawn(request);
    let mut looker = database.connection().await;
    eventually("the claim is held up", async || {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                     AND wait_event_type = 'Lock' AND query LIKE '-- Claims ready executions%'";
        looker.fetch_optional(waits).await.expect("looked")
    })
    .await;
    asking.abort();
    eventually("the host noticed", async || {
        let (_, metrics) = api.get("/metrics").await;
        let alone = "flowhost_http_in_flight 1\n";
        metrics
            .as_str()
            .expect("text")
            .contains(alone)
            .then_some(())
    })
    .await;
    blocker.execute("ROLLBACK").await.expect("unlocked");
    let released = eventually("its lease was ended", async || {
        let attempts = api.attempts(&id).await;
        let lease = attempts.first()?["leases"][0].clone();
        lease["ended"].is_string().then_some(lease)
    })
    .await;
    assert_eq!(released["ended"], "released");
    assert_eq!(released["worker_instance_id"], "gone");
    assert_eq!(claim_one(&api, "w-1").await["id"], id.as_str());
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_accepts_the_handles_of_the_others() {
    let (database, one) = start().await;
    let other = Api::start(builder(&database), &[]).await;
    let id = other.create(word("known by its registration")).await;
    let (status, granted) = grant(&one, &id, "claim", 60_000).await;
    assert_eq!(status, StatusCode::OK, "{granted}");
    let (status, claimed) = redeem(&other, "claim", &granted).await;
    assert_eq!(status, StatusCode::OK, "{claimed}");
    let done = json!({"lease": claimed["lease"], "result_text": "done"});
    let (status, body) = one.post("/v1/leases/complete", done).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(other.result(&id).await.1, b"done");
    hosts_are(&one, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_of_workers_are_refused_by_name() {
    let (_database, api) = start().await;
    let claim = "/v1/workers/w-1/claim";
    let unknown = "/v1/executions/01990000-0000-7000-8000-000000000000";
    let grant = json!({"worker_id": "w", "worker_instance_id": "w-1"});
    let with = |name: &str, value: Value| {
        let mut body = grant.clone();
        body[name] = value;
        body
    };
    let cases: Vec<(String, Value, u16, &str)> = vec![
        (claim.into(), json!({}), 400, "malformed_json"),
        (claim.into(), json!({"kinds": []}), 422, "invalid_input"),
        (
            claim.into(),
            json!({"kinds": ["Word"]}),
            422,
            "invalid_input",
        ),
        (
            claim.into(),
            json!({"kinds": ["word"], "max": 0}),
            422,
            "invalid_input",
        ),
        (
            claim.into(),
            json!({"kinds": ["word"], "max": 101}),
            422,
            "invalid_input",
        ),
        (
            claim.into(),
            json!({"kinds": ["word"], "wait_ms": 30_001}),
            422,
            "invalid_input",
        ),
        (
            claim.into(),
            json!({"kinds": ["word"], "lease_ttl_ms": 999}),
            422,
            "invalid_input",
        ),
        (
            claim.into(),
            json!({"kinds": ["word"], "capabilities": ["a b"]}),
            422,
            "invalid_capabilities",
        ),
        (
            claim.into(),
            json!({"kinds": ["word"], "wait": 1}),
            400,
            "malformed_json",
        ),
        ("/v1/leases/renew".into(), json!({}), 422, "invalid_input"),
        (
            "/v1/leases/renew".into(),
            json!({"lease": "x", "lease_ttl_ms": 1}),
            422,
            "invalid_input",
        ),
        (
            "/v1/leases/complete".into(),
            json!({"leese": "x"}),
            400,
            "malformed_json",
        ),
        (
            "/v1/leases/complete".into(),
            json!({"leases": [], "x": 1}),
            400,
            "malformed_json",
        ),
        (
            "/v1/workers".into(),
            with("kinds", json!(["Word"])),
            422,
            "invalid_input",
        ),
        (
            "/v1/workers".into(),
            with("liveness_ttl_ms", json!(1)),
            422,
            "invalid_input",
        ),
        (
            "/v1/workers".into(),
            with("worker_id", json!("")),
            422,
            "invalid_input",
        ),
        (
            "/v1/workers/w-9/heartbeat".into(),
            json!({}),
            404,
            "not_registered",
        ),
        (
            "/v1/workers/w-9/dead".into(),
            json!({"reason": "x"}),
            404,
            "not_registered",
        ),
        (
            "/v1/workers/w-1/dead".into(),
            json!({"reason": "a\nb"}),
            422,
            "invalid_input",
        ),
        (
            "/v1/workers/w-1/dead".into(),
            json!({"reason": ""}),
            422,
            "invalid_input",
        ),
        (
            format!("{unknown}/claim-grant"),
            grant.clone(),
            404,
            "execution_not_found",
        ),
        (
            format!("{unknown}/reclaim-grant"),
            grant.clone(),
            404,
            "execution_not_found",
        ),
        (
            format!("{unknown}/claim-grant"),
            with("grant_ttl_ms", json!(60_001)),
            422,
            "invalid_input",
        ),
        (
            format!("{unknown}/claim-grant"),
            with("grant_ttl_ms", json!(0)),
            422,
            "invalid_input",
        ),
        (
            "/v1/grants/claim".into(),
            json!({"grant": "x"}),
            409,
            "invalid_claim_grant",
        ),
        (
            "/v1/grants/reclaim".into(),
            json!({"grant": "x"}),
            404,
            "grant_not_found",
        ),
    ];
    let mut wrong = Vec::new();
    for (path, body, status, expected) in cases {
        let answer = api.post(&path, body.clone()).await;
        if code(&answer) != (status, expected) {
            wrong.push(format!(
                "{path} {body}: {answer:?}, not {status} {expected}"
            ));
        }
    }
    let (status, _) = api.get("/v1/lanes/default/eligible?limit=1001").await;
    if status != StatusCode::UNPROCESSABLE_ENTITY {
        wrong.push(format!("eligible: {status}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
