//! Claims and leases of workers that are no components, as a program meets them over
//! HTTP.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Executor as _;
use testkit::{Database, database, eventually};

use crate::api::{Api, builder};
use crate::grants::{grant, redeem};

/// Starts a host and makes the kind `word` known, as a worker does; beside a kind
/// of a component, which once kept the names of workers from being written.
pub(crate) async fn start() -> (Database, Api) {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    (database, api)
}

pub(crate) async fn register(api: &Api, worker: &str, instance: &str) -> (StatusCode, Value) {
    let body = json!({
        "worker_id": worker, "worker_instance_id": instance, "kinds": ["word"],
        "lanes": ["default"], "capabilities": ["ear"],
    });
    api.post("/v1/workers", body).await
}

/// Waits until so many hosts are registered, which serve any lane.
pub(crate) async fn hosts_are(api: &Api, count: usize) {
    eventually(&format!("{count} hosts are registered"), async || {
        let (_, page) = api.get("/v1/workers?live=true&lane=nobody-names-it").await;
        let hosts = page["workers"].as_array().expect("a list");
        assert!(hosts.iter().all(|host| host["worker_type"] == "host"));
        (hosts.len() == count).then_some(())
    })
    .await;
}

/// A request for one attempt's worth of work.
pub(crate) fn word(text: &str) -> Value {
    json!({"kind": "word", "input_text": text})
}

pub(crate) async fn claim_with(api: &Api, worker: &str, more: Value) -> Vec<Value> {
    let mut body = json!({"kinds": ["word"]});
    let members = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    let (status, body) = api.post(&format!("/v1/workers/{worker}/claim"), body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["executions"].as_array().expect("a list").clone()
}

pub(crate) async fn claim_one(api: &Api, worker: &str) -> Value {
    let mut claimed = claim_with(api, worker, json!({"wait_ms": 10_000})).await;
    assert_eq!(claimed.len(), 1, "one execution is ready");
    claimed.remove(0)
}

pub(crate) fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    let code = answer.1["code"].as_str().unwrap_or_default();
    (answer.0.as_u16(), code)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_claims_and_completes_is_the_execution_s_result() {
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
async fn a_poller_that_went_away_leaves_no_lease_behind() {
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
    let id = api.create(word("for somebody who is there")).await;
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["id"], id.as_str());
    assert_eq!(claimed["attempt"], 0, "nobody else was given it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_claim_finds_for_a_client_that_went_away_is_given_back() {
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
async fn a_lapsed_lease_is_refused_by_name_and_others_take_over() {
    let (database, api) = start().await;
    let id = api.create(word("slow")).await;
    let first = claim_one(&api, "w-1").await;
    let renew = json!({"lease": first["lease"], "lease_ttl_ms": 30_000});
    let (status, body) = api.post("/v1/leases/renew", renew.clone()).await;
    assert_eq!(
        (status, &body["outcome"]),
        (StatusCode::OK, &json!("renewed"))
    );
    database.advance(Duration::from_secs(31)).await;
    let late = json!({"lease": first["lease"], "result_text": "too late"});
    let refused = api.post("/v1/leases/complete", late.clone()).await;
    assert_eq!(code(&refused), (409, "lease_expired"));
    let second = claim_one(&api, "w-2").await;
    assert_eq!(
        (&second["attempt"], &second["attempt_type"]),
        (&json!(1), &json!("reclaim"))
    );
    for path in ["renew", "complete"] {
        let body = if path == "renew" { &renew } else { &late };
        let refused = api.post(&format!("/v1/leases/{path}"), body.clone()).await;
        assert_eq!(code(&refused), (409, "stale_lease"), "{path}");
    }
    let done = json!({"lease": second["lease"], "result_text": "in time"});
    api.post("/v1/leases/complete", done).await;
    assert_eq!(api.result(&id).await.1, b"in time");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_handle_has_one_answer() {
    let (_database, api) = start().await;
    let (_other_database, other) = start().await;
    api.create(word("x")).await;
    other.create(word("x")).await;
    let good = claim_one(&api, "w-1").await["lease"].clone();
    let good = good.as_str().expect("a handle");
    let foreign = claim_one(&other, "w-1").await["lease"].clone();
    let mut bad: Vec<String> = vec![
        String::new(),
        "v1".into(),
        "v1..".into(),
        good.replacen("v1", "v2", 1),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        foreign.as_str().expect("a handle").to_owned(),
    ];
    // Every bit of every character that is still text; `engine::handle` flips
    // them all.
    bad.extend((0..good.len()).map(|at| {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 7);
        String::from_utf8(bytes).expect("still text")
    }));
    let leases: Vec<_> = bad.iter().map(|lease| json!({"lease": lease})).collect();
    let (status, body) = api
        .post("/v1/leases/release", json!({"leases": leases}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let verdicts = body["results"].as_array().expect("a list");
    assert_eq!(verdicts.len(), bad.len());
    let first = &verdicts[0]["problem"];
    for (verdict, bad) in verdicts.iter().zip(&bad) {
        assert_eq!(verdict["status"], 400, "{bad}: {verdict}");
        assert_eq!(&verdict["problem"], first, "{bad}");
    }
    for path in ["complete", "delay", "cancel", "progress", "fail", "renew"] {
        let body = match path {
            "delay" => json!({"lease": "x", "delay_ms": 1}),
            "fail" => json!({"lease": "x", "code": "broken"}),
            _ => json!({"lease": "x"}),
        };
        let refused = api.post(&format!("/v1/leases/{path}"), body).await;
        assert_eq!(code(&refused), (400, "invalid_handle"), "{path}");
    }
    let (status, body) = api.post("/v1/leases/release", json!({"lease": good})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_accepts_what_another_gave_out() {
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
async fn a_lease_ends_in_every_way_there_is() {
    let (database, api) = start().await;
    let mut ids = Vec::new();
    for text in ["fail", "retry", "delay", "release", "cancel"] {
        ids.push(api.create(word(text)).await);
    }
    let mut leases = Vec::new();
    for id in &ids {
        let claimed = claim_one(&api, "w-1").await;
        assert_eq!(&claimed["id"], id);
        leases.push(claimed["lease"].clone());
    }
    let ends = [
        (
            "fail",
            json!({"class": "permanent", "code": "bad_word", "message": "no such word"}),
            "failed",
        ),
        ("fail", json!({"code": "busy"}), "retry_scheduled"),
        ("delay", json!({"delay_ms": 60_000}), "delayed"),
        ("release", json!({}), "released"),
        ("cancel", json!({"reason": "not wanted"}), "cancelled"),
    ];
    for ((path, mut body, outcome), lease) in ends.into_iter().zip(&leases) {
        body["lease"] = lease.clone();
        let (status, answer) = api.post(&format!("/v1/leases/{path}"), body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        assert_eq!(answer["outcome"], outcome, "{path}");
    }
    for (id, state) in ids
        .iter()
        .zip(["failed", "delayed", "delayed", "waiting", "cancelled"])
    {
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        assert_eq!(info["public_state"], state, "{info}");
    }
    let (_, info) = api.get(&format!("/v1/executions/{}", ids[0])).await;
    assert_eq!(info["failure"]["code"], "bad_word");
    let again = claim_one(&api, "w-2").await;
    assert_eq!(again["id"], ids[3].as_str());
    let (status, _) = api
        .post(&format!("/v1/executions/{}/cancel", ids[3]), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let gone = json!({"lease": again["lease"], "result_text": "x"});
    let refused = api.post("/v1/leases/complete", gone).await;
    assert_eq!(code(&refused), (409, "execution_not_active"));
    assert_eq!(refused.1["outcome"], "cancelled");
    database.assert_invariants().await;
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
            "invalid_input",
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
