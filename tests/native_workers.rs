//! Workers that are no components, as a program meets them over HTTP: claims and
//! leases, the registry, and claims in two steps.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Executor as _;
use testkit::{Database, database, eventually};

use crate::api::{Api, builder};

/// Starts a host and makes the kind `word` known, as a worker does; beside a kind
/// of a component, which once kept the names of workers from being written.
async fn start() -> (Database, Api) {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    (database, api)
}

async fn register(api: &Api, worker: &str, instance: &str) -> (StatusCode, Value) {
    let body = json!({
        "worker_id": worker, "worker_instance_id": instance, "kinds": ["word"],
        "lanes": ["default"], "capabilities": ["ear"],
    });
    api.post("/v1/workers", body).await
}

/// Waits until so many hosts are registered, which serve any lane.
async fn hosts_are(api: &Api, count: usize) {
    eventually(&format!("{count} hosts are registered"), async || {
        let (_, page) = api.get("/v1/workers?live=true&lane=nobody-names-it").await;
        let hosts = page["workers"].as_array().expect("a list");
        assert!(hosts.iter().all(|host| host["worker_type"] == "host"));
        (hosts.len() == count).then_some(())
    })
    .await;
}

/// A request for one attempt's worth of work.
fn word(text: &str) -> Value {
    json!({"kind": "word", "input_text": text})
}

async fn claim_with(api: &Api, worker: &str, more: Value) -> Vec<Value> {
    let mut body = json!({"kinds": ["word"]});
    let members = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    let (status, body) = api.post(&format!("/v1/workers/{worker}/claim"), body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["executions"].as_array().expect("a list").clone()
}

async fn claim_one(api: &Api, worker: &str) -> Value {
    let mut claimed = claim_with(api, worker, json!({"wait_ms": 10_000})).await;
    assert_eq!(claimed.len(), 1, "one execution is ready");
    claimed.remove(0)
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_worker_is_listed_until_it_falls_silent() {
    let (database, api) = start().await;
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(status, StatusCode::OK, "refreshed: {body}");
    assert_eq!(body["refreshed"], true);
    let refused = register(&api, "somebody-else", "w-1").await;
    assert_eq!(code(&refused), (409, "instance_reassigned"));
    assert!(
        refused.1["detail"]
            .to_string()
            .contains("instance_id reassigned")
    );
    register(&api, "w", "w-2").await;
    hosts_are(&api, 1).await;

    let (_, page) = api.get("/v1/workers?live=true&lane=default&limit=1").await;
    let first = page["workers"][0]["worker_instance_id"].clone();
    let next = page["next_cursor"].as_str().expect("more").to_owned();
    assert_eq!(first, next.as_str());
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let (_, page) = api
            .get(&format!("/v1/workers?live=true&limit=1&after={after}"))
            .await;
        names.push(page["workers"][0]["worker_instance_id"].to_string());
        match page["next_cursor"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names.len(), 3, "two workers and the host itself: {names:?}");
    let (status, beat) = api.post("/v1/workers/w-1/heartbeat", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{beat}");
    assert!(beat["next_expiry"].is_string());
    database.advance(Duration::from_secs(31)).await;
    let refused = api.post("/v1/workers/w-1/heartbeat", json!({})).await;
    assert_eq!(code(&refused), (404, "not_registered"));
    let dead = eventually("the silent worker is given up", async || {
        let (_, worker) = api.get("/v1/workers/w-1").await;
        worker["dead_at"].is_string().then_some(worker)
    })
    .await;
    assert_eq!(dead["live"], false);
    assert!(dead["dead_reason"].to_string().contains("not heard from"));
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(
        (status, &body["refreshed"]),
        (StatusCode::CREATED, &json!(false))
    );
    let (status, _) = api.ask(Method::DELETE, "/v1/workers/w-1", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = api.get("/v1/workers/w-1").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn marking_a_worker_dead_may_take_its_leases_away() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let held = claim_one(&api, "w-1").await;
    let (_, kept) = api
        .post(
            "/v1/workers/w-1/dead",
            json!({"reason": "its machine burns"}),
        )
        .await;
    assert_eq!(
        (&kept["already"], &kept["revoked"]),
        (&json!(false), &json!(0))
    );
    let renew = json!({"lease": held["lease"]});
    let (status, _) = api.post("/v1/leases/renew", renew.clone()).await;
    assert_eq!(status, StatusCode::OK, "its lease was left alone");
    let take = json!({"reason": "its machine burns", "revoke_leases": true});
    let (_, taken) = api.post("/v1/workers/w-1/dead", take).await;
    assert_eq!(
        (&taken["already"], &taken["revoked"]),
        (&json!(true), &json!(1))
    );
    let refused = api.post("/v1/leases/renew", renew).await;
    assert_eq!(code(&refused), (409, "lease_revoked"));
    let again = claim_one(&api, "w-2").await;
    assert_eq!(again["id"], id.as_str());
    assert_eq!(again["attempt_type"], "reclaim");
    let attempts = api.attempts(&id).await;
    assert_eq!(attempts[0]["leases"][0]["ended"], "lease_revoked");
    database.assert_invariants().await;
}

/// Grants an execution to the worker `w-1`.
async fn grant(api: &Api, id: &str, kind: &str, ttl_ms: u32) -> (StatusCode, Value) {
    let body = json!({
        "worker_id": "w", "worker_instance_id": "w-1", "capabilities": ["ear"],
        "grant_ttl_ms": ttl_ms,
    });
    api.post(&format!("/v1/executions/{id}/{kind}-grant"), body)
        .await
}

async fn redeem(api: &Api, kind: &str, grant: &Value) -> (StatusCode, Value) {
    let body = json!({"grant": grant["grant"]});
    api.post(&format!("/v1/grants/{kind}"), body).await
}

async fn eligible(api: &Api) -> Vec<String> {
    let (status, body) = api.get("/v1/lanes/default/eligible").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let executions = body["executions"].as_array().expect("a list");
    executions
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_keeps_an_execution_for_one_worker_and_is_good_for_one_lease() {
    let (database, api) = start().await;
    let first = api.create(word("first")).await;
    let second = api.create(word("second")).await;
    let urgent = api
        .create(json!({"kind": "word", "input": 1, "priority": 9, "policy":
            {"routing_requirements": {"required_capabilities": ["wing", "ear", "gill"]}}}))
        .await;
    assert_eq!(eligible(&api).await, [&*urgent, &*first, &*second]);
    let refused = grant(&api, &urgent, "claim", 60_000).await;
    assert_eq!(code(&refused), (409, "capability_mismatch"));
    assert_eq!(refused.1["missing"], json!(["gill", "wing"]));

    let (status, granted) = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(status, StatusCode::OK, "{granted}");
    let refused = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(code(&refused), (409, "grant_already_exists"));
    assert_eq!(eligible(&api).await, [&*urgent, &*second]);
    let (_, info) = api.get(&format!("/v1/executions/{first}")).await;
    assert_eq!(info["public_state"], "waiting");
    let claimed = claim_with(&api, "w-2", json!({"max": 10})).await;
    assert_eq!(claimed.len(), 1, "the granted one is passed by");
    assert_eq!(claimed[0]["id"], second.as_str());

    let refused = redeem(&api, "reclaim", &granted).await;
    assert_eq!(code(&refused), (404, "grant_not_found"));
    let changed = json!({"grant": granted["grant"], "capability_hash": "e3b0c44298fc1c14"});
    let refused = api.post("/v1/grants/claim", changed).await;
    assert_eq!(code(&refused), (409, "capability_mismatch"));
    let as_before =
        json!({"grant": granted["grant"], "capability_hash": granted["capability_hash"]});
    let (status, lease) = api.post("/v1/grants/claim", as_before).await;
    assert_eq!(status, StatusCode::OK, "{lease}");
    assert_eq!(lease["id"], first.as_str());
    let refused = redeem(&api, "claim", &granted).await;
    assert_eq!(code(&refused), (409, "invalid_claim_grant"));
    let done = json!({"lease": lease["lease"], "result_text": "done"});
    let (status, body) = api.post("/v1/leases/complete", done).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let attempts = api.attempts(&first).await;
    assert_eq!(attempts[0]["leases"][0]["worker_instance_id"], "w-1");
    let refused = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(code(&refused), (409, "execution_not_eligible"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_grant_gives_the_execution_back_in_its_place() {
    let (database, api) = start().await;
    let first = api.create(word("first")).await;
    let second = api.create(word("second")).await;
    let (_, granted) = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(eligible(&api).await, [&*second]);
    database.advance(Duration::from_secs(61)).await;
    assert_eq!(eligible(&api).await, [&*first, &*second]);
    let claimed = claim_one(&api, "w-2").await;
    assert_eq!(claimed["id"], first.as_str(), "it kept its place");
    // The time the handle names is not over, since only stored times were moved:
    // what counts is that another worker was quicker.
    let refused = redeem(&api, "claim", &granted).await;
    assert_eq!(code(&refused), (409, "invalid_claim_grant"));

    let (_, brief) = grant(&api, &second, "claim", 1).await;
    eventually("the grant lapses", async || {
        let refused = redeem(&api, "claim", &brief).await;
        (code(&refused) == (409, "claim_grant_expired")).then_some(())
    })
    .await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_execution_can_be_cancelled_and_can_expire() {
    let (database, api) = start().await;
    let cancelled = api.create(word("cancelled")).await;
    let expires = api
        .create(json!({"kind": "word", "input": 1, "policy":
            {"timeout_policy": {"execution_deadline_ms": 30_000}}}))
        .await;
    let (_, first) = grant(&api, &cancelled, "claim", 60_000).await;
    let (_, second) = grant(&api, &expires, "claim", 60_000).await;
    let (status, _) = api
        .post(&format!("/v1/executions/{cancelled}/cancel"), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    database.advance(Duration::from_secs(31)).await;
    api.until(&expires, "expired").await;
    for (granted, outcome) in [(first, "cancelled"), (second, "expired")] {
        let refused = redeem(&api, "claim", &granted).await;
        assert_eq!(code(&refused), (409, "invalid_claim_grant"));
        assert!(refused.1["detail"].to_string().contains(outcome));
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_execution_is_reclaimed_by_grant() {
    let (database, api) = start().await;
    let id = api
        .create(json!({"kind": "word", "input": 1, "policy":
            {"timeout_policy": {"max_reclaim_count": 1}}}))
        .await;
    let refused = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(code(&refused), (409, "not_reclaimable"));
    claim_one(&api, "w-2").await;
    let refused = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(code(&refused), (409, "not_reclaimable"));
    database.advance(Duration::from_secs(31)).await;
    let (status, granted) = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(status, StatusCode::OK, "{granted}");
    let refused = redeem(&api, "claim", &granted).await;
    assert_eq!(code(&refused), (409, "invalid_claim_grant"));
    let (status, lease) = redeem(&api, "reclaim", &granted).await;
    assert_eq!(status, StatusCode::OK, "{lease}");
    assert_eq!(
        (&lease["attempt"], &lease["attempt_type"]),
        (&json!(1), &json!("reclaim"))
    );
    database.advance(Duration::from_secs(31)).await;
    let refused = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(code(&refused), (409, "reclaim_cap_exceeded"));
    assert_eq!(refused.1["reclaim_count"], 1);
    assert_eq!(
        api.until(&id, "failed").await["failure"]["code"],
        "max_reclaims_exceeded"
    );
    let refused = redeem(&api, "reclaim", &granted).await;
    assert_eq!(code(&refused), (409, "reclaim_cap_exceeded"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_claims_that_race_lease_each_execution_once() {
    let (database, api) = start().await;
    let executions: Vec<_> = (0..80).map(|number| word(&number.to_string())).collect();
    let (status, _) = api
        .post("/v1/executions/batch", json!({"executions": executions}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let schedulers = (0..4).map(|_| {
        let api = &api;
        async move {
            let body = json!({"lane": "default", "worker_id": "w", "grant_ttl_ms": 60_000});
            let mut got = Vec::new();
            loop {
                let (_, found) = api.post("/v1/workers/w-1/claim-grant", body.clone()).await;
                let Some(id) = found["granted"]["execution_id"].as_str() else {
                    return got;
                };
                // Everybody wants the same one; its grant lets nobody else have it.
                let refused = grant(api, id, "claim", 60_000).await;
                assert_eq!(code(&refused), (409, "grant_already_exists"));
                let (status, lease) = redeem(api, "claim", &found["granted"]).await;
                assert_eq!(status, StatusCode::OK, "{lease}");
                got.push(lease["id"].to_string());
            }
        }
    });
    let claimers = (0..2).map(|_| {
        let api = &api;
        async move {
            let mut got = Vec::new();
            loop {
                let claimed = claim_with(api, "w-2", json!({})).await;
                if claimed.is_empty() {
                    return got;
                }
                got.extend(claimed.into_iter().map(|one| one["id"].to_string()));
            }
        }
    });
    let (granted, claimed) = tokio::join!(
        futures::future::join_all(schedulers),
        futures::future::join_all(claimers)
    );
    let granted: Vec<_> = granted.into_iter().flatten().collect();
    let claimed: Vec<_> = claimed.into_iter().flatten().collect();
    let all: std::collections::BTreeSet<_> = granted.iter().chain(&claimed).collect();
    assert_eq!((all.len(), granted.len() + claimed.len()), (80, 80));
    assert!(!granted.is_empty() && !claimed.is_empty(), "they raced");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_finds_work_for_a_worker_in_one_call() {
    let (_database, api) = start().await;
    let ask = |kinds: Value| {
        let body = json!({"lane": "default", "worker_id": "w", "kinds": kinds});
        api.post("/v1/workers/w-1/claim-grant", body)
    };
    let (status, none) = ask(json!(["word"])).await;
    assert_eq!((status, &none["granted"]), (StatusCode::OK, &Value::Null));
    let id = api.create(word("x")).await;
    assert_eq!(ask(json!(["other"])).await.1["granted"], Value::Null);
    let (_, found) = ask(json!(["word"])).await;
    assert_eq!(found["granted"]["execution_id"], id.as_str(), "{found}");
    assert_eq!(ask(json!(["word"])).await.1["granted"], Value::Null);
    let (status, lease) = redeem(&api, "claim", &found["granted"]).await;
    assert_eq!((status, &lease["id"]), (StatusCode::OK, &json!(id)));
    // A lane that does not serve grants nothing.
    let waiting = api.create(word("y")).await;
    api.ask(
        Method::PUT,
        "/v1/lanes/default",
        Some(json!({"state": "paused"})),
    )
    .await;
    let refused = grant(&api, &waiting, "claim", 1000).await;
    assert_eq!(code(&refused), (409, "execution_not_eligible"));
    eventually("the lane is known to be paused", async || {
        eligible(&api).await.is_empty().then_some(())
    })
    .await;
}
