//! What a request would do: every verb of an operator, in every state, asked first and
//! then done. The answers are the same, and asking changes nothing.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use testkit::Database;

use crate::support::api::{Answer, Api, code, text, with};
use crate::support::http_waiting::{ask, held, named, waiting};
use crate::support::http_work::{complete, register, start, word};

/// States that an execution is brought into, and one that names none.
const STATES: [&str; 9] = [
    "waiting",
    "delayed",
    "held",
    "limited",
    "active",
    "suspended",
    "completed",
    "cancelled",
    "missing",
];

/// What is asked of each: method, path below the execution, and body.
fn verbs() -> Vec<(Method, &'static str, Value)> {
    let post = |path, body| (Method::POST, path, body);
    vec![
        post("cancel", json!({"reason": "enough", "source": "tests"})),
        post("expire", json!({})),
        post("replay", json!({})),
        post("revoke-lease", json!({})),
        post("resume", json!({})),
        post("resume", json!({"delay_ms": 60_000})),
        post("block", json!({"blocking_reason": "waiting_for_quota"})),
        post("block", json!({"blocking_reason": "none"})),
        post("unblock", json!({})),
        post("hold", json!({})),
        post("unhold", json!({})),
        post("complete", json!({"result": {"by": "hand"}})),
        post(
            "fail",
            json!({"class": "permanent", "code": "hopeless", "message": "no"}),
        ),
        post(
            "fail",
            json!({"class": "transient", "code": "busy", "message": "later"}),
        ),
        post("delay", json!({"delay_ms": 60_000})),
        post("operator-signal", json!({"signal_name": "approved"})),
        post("approve", json!({})),
        post("reject", json!({"reason": "no"})),
        post("waitpoints/door/close", json!({})),
        post(
            "waitpoints/door/token",
            json!({"signal_names": ["approved"]}),
        ),
        (Method::PUT, "priority", json!({"priority": 7})),
        (Method::PUT, "priority", json!({"priority": 70_000})),
        (Method::PATCH, "tags", json!({"tags": {"app.a": "b"}})),
        (Method::PATCH, "tags", json!({"tags": {"Bad": "b"}})),
    ]
}

/// Brings a new execution into a state; returns its id.
async fn arrange(api: &Api, state: &str) -> String {
    let create = async |more| api.create(with(word("x"), more)).await;
    match state {
        "waiting" => create(json!({})).await,
        "delayed" => create(json!({"delay_ms": 3_600_000})).await,
        "held" | "limited" | "cancelled" => {
            let id = create(json!({})).await;
            let (verb, body) = match state {
                "held" => ("hold", json!({})),
                "limited" => ("block", json!({"blocking_reason": "waiting_for_quota"})),
                _ => ("cancel", json!({})),
            };
            let (status, body) = ask(api, &id, verb, body).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            id
        }
        "active" => held(api, json!({})).await.0,
        "suspended" => waiting(api, named("door", "approved")).await.0,
        "completed" => {
            let (id, lease) = held(api, json!({})).await;
            complete(api, &lease).await;
            id
        }
        _ => "01990000-0000-7000-8000-00000000abcd".to_owned(),
    }
}

/// Everything in the database, a digest for each table; but not the heartbeats of
/// workers, nor that a sweep marked one dead for want of them.
async fn stored(database: &Database) -> BTreeMap<String, String> {
    let mut connection = database.connection().await;
    let tables = sqlx::query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .expect("tables");
    let mut digests = BTreeMap::new();
    for table in tables {
        let table: String = table.get(0);
        let row = match &*table {
            "worker" => {
                "(t.worker_instance_id,
                  CASE WHEN t.dead_reason NOT LIKE '%its time to live' THEN t.dead_reason END)"
            }
            _ => "t",
        };
        let sql = format!(
            "SELECT coalesce(md5(string_agg({row}::text, ',' ORDER BY {row}::text)), '')
             FROM \"{table}\" t"
        );
        let digest = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection);
        digests.insert(table, digest.await.expect("a digest").get(0));
    }
    assert!(digests.len() > 15, "{digests:?}");
    digests
}

/// Leaves out what differs between two calls of a verb: times, and what is drawn.
fn comparable(mut body: Value) -> Value {
    const DRAWN: [&str; 7] = [
        "not_after",
        "revoked_at",
        "waitpoint_token",
        "callback_url",
        "signal_id",
        "kid",
        "detail",
    ];
    match &mut body {
        Value::Object(members) => {
            members.retain(|name, _| !name.ends_with("_at") && !DRAWN.contains(&name.as_str()));
            for value in members.values_mut() {
                *value = comparable(value.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = comparable(value.take());
            }
        }
        _ => {}
    }
    body
}

/// Asks what a request would do, checks that nothing changed, does it, and checks that it
/// did that.
async fn asked_then_done(
    api: &Api,
    database: &Database,
    method: &Method,
    path: &str,
    body: &Value,
) -> Answer {
    let before = stored(database).await;
    let dry = format!("{path}?dry_run=true");
    let (said, foreseen) = api.ask(method.clone(), &dry, Some(body.clone())).await;
    assert_eq!(
        stored(database).await,
        before,
        "{method} {dry} {body}: {foreseen}"
    );
    let (status, done) = api.ask(method.clone(), path, Some(body.clone())).await;
    assert_eq!(said, status, "{method} {path} {body}: {foreseen}\n{done}");
    assert_eq!(
        comparable(foreseen),
        comparable(done.clone()),
        "{method} {path} {body}"
    );
    (status, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_verb_would_do_is_what_it_does() {
    let (database, api) = start().await;
    let (mut accepted, mut refused) = (0, 0);
    for state in STATES {
        for (method, verb, body) in verbs() {
            let id = arrange(&api, state).await;
            let path = format!("/v1/executions/{id}/{verb}");
            let answer = asked_then_done(&api, &database, &method, &path, &body).await;
            match answer.0.is_success() {
                true => accepted += 1,
                false => {
                    assert!(answer.0.is_client_error(), "{state}: {path}: {answer:?}");
                    refused += 1;
                }
            }
            // So that the next claim finds the next execution only.
            ask(&api, &id, "cancel", json!({})).await;
        }
    }
    assert!(
        accepted > 40 && refused > 100,
        "{accepted} accepted, {refused} refused"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_set_is_what_is_set() {
    let (database, api) = start().await;
    let (_, components) = api.get("/v1/components").await;
    let digest = components["components"][0]["digest"].clone();
    let (_, lease) = held(&api, json!({})).await;
    register(&api, "w", "w-2").await;
    let key = json!({"kind": "word", "input_text": "x", "idempotency_key": "k"});
    let one = json!({"kind": "word", "input_text": "y", "idempotency_key": "l"});
    let other = json!({"kind": "word", "input_text": "z", "idempotency_key": "k"});
    let token = json!({"name": "ci", "role": "viewer"});
    let (_, token) = api.post("/v1/tokens", token).await;
    let token = text(&token["key"]["id"]);
    let routes = |weight| json!({"routes": [{"digest": digest, "weight": weight}]});
    for (method, path, body, expected) in [
        (
            Method::PUT,
            "/v1/lanes/night",
            json!({"state": "paused"}),
            200,
        ),
        (Method::PUT, "/v1/lanes/night", json!({"weight": 0}), 422),
        (
            Method::PUT,
            "/v1/namespaces/acme",
            json!({"weight": 50}),
            200,
        ),
        (Method::PUT, "/v1/kinds/new", json!({}), 201),
        (Method::PUT, "/v1/kinds/new", json!({}), 200),
        (Method::PUT, "/v1/kinds/newer/routes", routes(3), 200),
        (Method::PUT, "/v1/kinds/newer/routes", routes(20_000), 422),
        (
            Method::POST,
            "/v1/waitpoint-keys/rotate",
            json!({"new_kid": "k2"}),
            200,
        ),
        (
            Method::POST,
            "/v1/waitpoint-keys/rotate",
            json!({"new_kid": "k3"}),
            200,
        ),
        (Method::POST, "/v1/waitpoint-keys/k2/retire", json!({}), 200),
        (Method::POST, "/v1/waitpoint-keys/k3/retire", json!({}), 409),
        (
            Method::POST,
            &format!("/v1/tokens/{token}/rotate"),
            json!({"overlap_ms": 31 * 24 * 3_600_000_u64}),
            422,
        ),
        (
            Method::POST,
            &format!("/v1/tokens/{token}/revoke"),
            json!({}),
            200,
        ),
        (
            Method::POST,
            &format!("/v1/tokens/{token}/rotate"),
            json!({}),
            409,
        ),
        (
            Method::POST,
            "/v1/tokens",
            json!({"name": "B", "role": "viewer"}),
            422,
        ),
        (Method::POST, "/v1/executions", one, 201),
        (
            Method::POST,
            "/v1/executions/batch",
            json!({"executions": [key, other]}),
            200,
        ),
        (
            Method::POST,
            "/v1/workers/w-1/dead",
            json!({"reason": "gone", "revoke_leases": true}),
            200,
        ),
        (
            Method::POST,
            "/v1/workers/none/dead",
            json!({"reason": "gone"}),
            404,
        ),
        (Method::DELETE, "/v1/workers/w-2", json!({}), 204),
    ] {
        let (status, answer) = match path {
            // An answer has the id, which is another one.
            "/v1/executions" | "/v1/executions/batch" => {
                let before = stored(&database).await;
                let dry = format!("{path}?dry_run=true");
                let (status, foreseen) = api.post(&dry, body.clone()).await;
                assert_eq!(stored(&database).await, before, "{foreseen}");
                let (_, done) = api.post(path, body).await;
                let states = |of: &Value| of["state"].clone();
                assert_eq!(states(&foreseen), states(&done));
                let verdicts = |of: &Value| {
                    let results = of["results"].as_array().cloned().unwrap_or_default();
                    results
                        .iter()
                        .map(|it| it["status"].clone())
                        .collect::<Vec<_>>()
                };
                assert_eq!(verdicts(&foreseen), verdicts(&done), "{done}");
                (status, foreseen)
            }
            _ => asked_then_done(&api, &database, &method, path, &body).await,
        };
        assert_eq!(status.as_u16(), expected, "{method} {path}: {answer}");
    }
    let renewed = api.post("/v1/leases/renew", json!({"lease": lease})).await;
    assert_eq!(
        code(&renewed),
        (409, "lease_revoked"),
        "it was revoked in the end"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_so_and_gives_nothing_away() {
    let (_database, api) = start().await;
    let (id, open) = waiting(&api, named("door", "approved")).await;
    let path = format!("/v1/executions/{id}/waitpoints/door/token?dry_run=true");
    let url = format!("{}{path}", api.host.url());
    let response = api.client.post(url).send().await.expect("the host answers");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["flowhost-dry-run"], "true");
    let minted: Value = response.json().await.expect("JSON");
    let void = json!({"waitpoint_token": minted["waitpoint_token"], "signal_name": "approved"});
    let signaled = ask(&api, &id, "signal", void).await;
    assert_eq!(code(&signaled), (403, "invalid_token"), "{minted}");

    // With a token that is valid, the signal would resume it; and has not.
    let signal = json!({"waitpoint_token": open["waitpoint_token"], "signal_name": "approved"});
    for _ in 0..2 {
        let (status, body) = ask(&api, &id, "signal?dry_run=true", signal.clone()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        assert_eq!(text(&body["effect"]), "resume_condition_satisfied");
    }
    assert_eq!(
        api.until(&id, "suspended").await["public_state"],
        "suspended"
    );

    // More at a time than a host rehearses: they wait for each other.
    let many = (0..8).map(|_| ask(&api, &id, "cancel?dry_run=true", json!({})));
    for (status, body) in futures::future::join_all(many).await {
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["already"], false, "{body}");
    }
    assert_eq!(
        api.until(&id, "suspended").await["public_state"],
        "suspended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_dry_runs_refuses_the_parameter() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    for (method, path, body) in [
        (
            Method::GET,
            format!("/v1/executions/{id}?dry_run=true"),
            None,
        ),
        (
            Method::POST,
            "/v1/leases/complete?dry_run=true".to_owned(),
            Some(json!({"lease": lease, "result": 1})),
        ),
        (
            Method::POST,
            format!("/v1/executions/{id}/cancel?dry_run=perhaps"),
            Some(json!({})),
        ),
        (
            Method::POST,
            format!("/v1/executions/{id}/cancel?dry_run=true&dry_run=true"),
            Some(json!({})),
        ),
        (
            Method::POST,
            format!("/v1/executions/{id}/cancel?dry_run=true&dryrun=true"),
            Some(json!({})),
        ),
    ] {
        let answer = api.ask(method, &path, body).await;
        assert_eq!(code(&answer), (400, "invalid_query"), "{path}: {answer:?}");
    }
    assert_eq!(api.until(&id, "active").await["public_state"], "active");
}
