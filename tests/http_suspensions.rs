//! Suspensions and signals over HTTP and on the command line, with a worker that is
//! no component.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Executor as _;
use testkit::Database;

use crate::api::{Api, builder};
use crate::grants::{grant, redeem};
use crate::http_operators::flowhost;
use crate::native_workers::{claim_one, claim_with, code, register, start, word};

/// An execution that a worker holds: its id and the handle of the lease.
pub(crate) async fn held(api: &Api, more: Value) -> (String, String) {
    let mut body = word("x");
    let members = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    let id = api.create(body).await;
    let claimed = claim_one(api, "w-1").await;
    assert_eq!(claimed["id"], id.as_str());
    (id, text(&claimed["lease"]))
}

/// Suspends under a lease; returns what was answered.
pub(crate) async fn suspend(api: &Api, lease: &str, condition: Value, more: Value) -> Value {
    let mut body = json!({"lease": lease, "resume_condition": condition});
    let members = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    let (status, body) = api.post("/v1/leases/suspend", body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// An execution that waits for a signal at one waitpoint: its id and the waitpoint
/// with its token.
pub(crate) async fn waiting(api: &Api, condition: Value) -> (String, Value) {
    let (id, lease) = held(api, json!({})).await;
    let suspended = suspend(api, &lease, condition, json!({})).await;
    assert_eq!(suspended["outcome"], "suspended", "{suspended}");
    (id, suspended["waitpoints"][0].clone())
}

pub(crate) fn named(key: &str, name: &str) -> Value {
    json!({"Single": {"waitpoint_key": key, "matcher": {"ByName": name}}})
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Asks for a verb of an execution.
pub(crate) async fn ask(api: &Api, id: &str, verb: &str, body: Value) -> (StatusCode, Value) {
    api.post(&format!("/v1/executions/{id}/{verb}"), body).await
}

/// Reads something of an execution.
pub(crate) async fn of(api: &Api, id: &str, what: &str) -> Vec<Value> {
    let (status, body) = api.get(&format!("/v1/executions/{id}/{what}")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let name = what.split('?').next().expect("a name");
    body[name].as_array().expect("a list").clone()
}

async fn complete(api: &Api, lease: &str) {
    let (status, body) = api
        .post("/v1/leases/complete", json!({"lease": lease, "result": 1}))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

async fn run_sql(database: &Database, statement: &'static str) {
    let mut connection = database.connection().await;
    connection.execute(statement).await.expect("runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_suspends_and_goes_on_with_what_came() {
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

    // Whoever reads or keeps what this host says can open nothing with it.
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
async fn what_came_early_satisfies_at_once_and_a_name_finds_it_again() {
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
    let wish = json!({"idempotency_key": "first", "state_text": "s"});
    let answer = suspend(&api, &lease, named("a", "x"), wish.clone()).await;
    assert_eq!(answer["outcome"], "already_satisfied");
    assert_eq!(
        answer["resumption"]["signals"][0]["signal_id"],
        sent["signal_id"]
    );
    let again = suspend(&api, &lease, named("a", "x"), wish).await;
    assert_eq!(again["resumption"], answer["resumption"]);

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

#[tokio::test(flavor = "multi_thread")]
async fn one_who_approves_twice_counts_once() {
    let (database, api) = start().await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 2, "count_kind": "DistinctSources",
        "matcher": {"ByName": "approved"}, "waitpoints": ["approval"],
    }});
    let (id, _) = waiting(&api, condition).await;
    let alice = json!({"actor": "alice", "reason": "looks good", "payload_text": "ok"});
    let (status, first) = ask(&api, &id, "approve", alice.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{first}");
    assert_eq!(first["effect"], "appended_to_waitpoint");
    database.advance(Duration::from_secs(48 * 3600)).await;
    let (status, second) = ask(&api, &id, "approve", alice).await;
    assert_eq!(
        (status, &second["duplicate"]),
        (StatusCode::OK, &json!(true))
    );
    assert_eq!(second["signal_id"], first["signal_id"]);
    // Under another name for the decision it is another signal of the same source.
    let round = json!({"actor": "alice", "idempotency_suffix": "round-2"});
    let (_, third) = ask(&api, &id, "approve", round).await;
    assert_eq!(
        third["effect"], "appended_to_waitpoint_duplicate",
        "{third}"
    );
    let (_, no) = ask(&api, &id, "reject", json!({"actor": "carol"})).await;
    assert_eq!(no["effect"], "signal_ignored_matcher_failed", "{no}");
    let bob = json!({"actor": "bob", "waitpoint": "approval"});
    let (_, last) = ask(&api, &id, "approve", bob).await;
    assert_eq!(last["effect"], "resume_condition_satisfied", "{last}");

    let signals = of(&api, &id, "signals").await;
    let seen: Vec<_> = signals
        .iter()
        .map(|it| {
            let texts = [
                "signal_name",
                "source_type",
                "source_identity",
                "idempotency_key",
            ];
            texts.map(|name| text(&it[name]))
        })
        .collect();
    assert_eq!(
        seen,
        [
            ["approved", "operator", "alice", "approval:approved:alice"],
            ["approved", "operator", "alice", "approval:approved:round-2"],
            ["rejected", "operator", "carol", "approval:rejected:carol"],
            ["approved", "operator", "bob", "approval:approved:bob"],
        ]
    );
    assert_eq!(signals[0]["signal_category"], "approval");
    assert_eq!(signals[0].get("token_kid"), None, "no token was needed");
    let operations = of(&api, &id, "operations").await;
    let reasons: Vec<_> = operations.iter().map(|it| &it["reason"]).collect();
    assert!(reasons.contains(&&json!("looks good")), "{operations:?}");
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["resumption"]["signal_count"], 2, "{claimed}");
    complete(&api, &text(&claimed["lease"])).await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_signals_resumes_and_closes() {
    let (database, api) = start().await;
    let (id, _) = waiting(&api, named("a", "go")).await;
    let signal = json!({"signal_name": "other", "actor": "alice", "waitpoint": "a",
                        "payload_base64": "AP8=", "correlation_id": "c"});
    let (status, sent) = ask(&api, &id, "operator-signal", signal).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{sent}");
    assert_eq!(sent["effect"], "signal_ignored_matcher_failed");
    let (status, info) = ask(&api, &id, "waitpoints/a/close", json!({"actor": "alice"})).await;
    assert_eq!(
        (status, &info["public_state"]),
        (StatusCode::OK, &json!("suspended"))
    );
    let late = json!({"signal_name": "go", "waitpoint": "a"});
    let refused = ask(&api, &id, "operator-signal", late).await;
    assert_eq!(code(&refused), (409, "waitpoint_closed"));
    assert_eq!(refused.1["close_reason"], "proactive_close");
    let later = json!({"delay_ms": 3_600_000, "reason": "enough"});
    let (status, info) = ask(&api, &id, "resume", later).await;
    assert_eq!(
        (status, &info["public_state"]),
        (StatusCode::OK, &json!("delayed"))
    );
    assert_eq!(info["blocking_reason"], "waiting_for_resume_delay");
    database.advance(Duration::from_secs(3600)).await;
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["resumption"]["reason"], "operator_resume");
    assert_eq!(claimed["resumption"]["signals"], json!([]));
    let verbs: Vec<_> = of(&api, &id, "operations")
        .await
        .iter()
        .map(|it| (text(&it["verb"]), text(&it["actor"])))
        .collect();
    let told = |verb: &str, actor: &str| (verb.to_owned(), actor.to_owned());
    assert_eq!(
        verbs,
        [
            told("signal", "alice"),
            told("close_waitpoint", "alice"),
            told("resume", "api"),
        ]
    );
    complete(&api, &text(&claimed["lease"])).await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_signal_has_its_name() {
    let (_database, api) = start().await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    let signal = || json!({"signal_name": "x"});
    for (verb, body) in [
        ("operator-signal", signal()),
        ("approve", json!({})),
        ("reject", json!({})),
        ("resume", json!({})),
        ("waitpoints/a/close", json!({})),
        ("waitpoints/a/token", json!({})),
    ] {
        let refused = ask(&api, nobody, verb, body.clone()).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{verb}");
        let refused = ask(&api, "nobody", verb, body).await;
        assert_eq!(code(&refused), (400, "invalid_id"), "{verb}");
    }
    for what in ["waitpoints", "suspensions", "signals"] {
        let refused = api.get(&format!("/v1/executions/{nobody}/{what}")).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{what}");
    }

    let policy = json!({"policy": {"max_signals_per_execution": 1}});
    let (id, lease) = held(&api, policy).await;
    for verb in [
        "operator-signal",
        "waitpoints/a/close",
        "waitpoints/a/token",
    ] {
        let refused = ask(
            &api,
            &id,
            verb,
            if verb == "operator-signal" {
                signal()
            } else {
                json!({})
            },
        )
        .await;
        assert_eq!(code(&refused), (404, "waitpoint_not_found"), "{verb}");
    }
    let refused = ask(&api, &id, "resume", json!({})).await;
    assert_eq!(code(&refused), (409, "execution_not_suspended"));
    assert_eq!(refused.1["state"], "active");
    let both =
        json!({"Composite": {"kind": "AllOf", "members": [named("a", "x"), named("b", "x")]}});
    suspend(&api, &lease, both, json!({})).await;
    let refused = ask(&api, &id, "operator-signal", signal()).await;
    assert_eq!(code(&refused), (409, "waitpoint_ambiguous"));
    assert_eq!(refused.1["open"], 2);
    let long = "a".repeat(256);
    for (verb, body, field) in [
        (
            "operator-signal",
            json!({"signal_name": "", "waitpoint": "a"}),
            "signal_name",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": ""}),
            "waitpoint",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a\u{0}"}),
            "waitpoint",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "actor": ""}),
            "actor",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "payload": 1, "payload_text": "1"}),
            "payload",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "payload_text": "x".repeat(65_537)}),
            "payload",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "payload_base64": "!"}),
            "payload_base64",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "correlation_id": long}),
            "correlation_id",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "idempotency_key": ""}),
            "idempotency_key",
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a", "dedup_ttl_ms": 0}),
            "dedup_ttl_ms",
        ),
        (
            "approve",
            json!({"waitpoint": "a", "actor": "a".repeat(238)}),
            "actor",
        ),
        (
            "approve",
            json!({"waitpoint": "a", "idempotency_suffix": ""}),
            "idempotency_suffix",
        ),
        ("resume", json!({"delay_ms": u64::MAX}), "delay_ms"),
        (
            "waitpoints/a/token",
            json!({"signal_names": [""]}),
            "signal_name",
        ),
        (
            "waitpoints/a/token",
            json!({"expires_in_ms": u64::MAX}),
            "expires_in",
        ),
        (
            "signal",
            json!({"waitpoint_token": "t", "signal_name": "x", "source_type": "operator"}),
            "source_type",
        ),
        (
            "signal",
            json!({"waitpoint_token": "t", "signal_name": "x", "source_identity": ""}),
            "source_identity",
        ),
    ] {
        let refused = ask(&api, &id, verb, body.clone()).await;
        assert_eq!(
            code(&refused),
            (422, "invalid_input"),
            "{verb} {body} {refused:?}"
        );
        assert_eq!(refused.1["field"], field, "{verb} {body} {refused:?}");
    }
    for (verb, body) in [
        ("signal", json!({"signal_name": "x"})),
        (
            "signal",
            json!({"waitpoint_token": "t", "signal_name": "x", "actor": "alice"}),
        ),
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint_token": "t"}),
        ),
        ("operator-signal", json!({})),
        ("approve", json!({"signal_name": "x"})),
        ("resume", json!({"delay": 1})),
    ] {
        let refused = ask(&api, &id, verb, body.clone()).await;
        assert_eq!(code(&refused), (400, "malformed_json"), "{verb} {body}");
    }
    assert!(
        of(&api, &id, "signals").await.is_empty(),
        "nothing was kept"
    );

    let at = |key: &str| json!({"signal_name": "x", "waitpoint": key});
    let (status, sent) = ask(&api, &id, "operator-signal", at("a")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{sent}");
    let refused = ask(&api, &id, "operator-signal", at("b")).await;
    assert_eq!(code(&refused), (409, "signal_limit_exceeded"));
    assert_eq!(refused.1["max"], 1);
    let refused = ask(&api, &id, "operator-signal", at("c")).await;
    assert_eq!(code(&refused), (404, "waitpoint_not_found"));
    let (status, body) = ask(&api, &id, "cancel", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let refused = ask(&api, &id, "operator-signal", at("a")).await;
    assert_eq!(code(&refused), (409, "target_not_signalable"));
    assert_eq!(refused.1["outcome"], "cancelled");
    let refused = ask(&api, &id, "waitpoints/a/token", json!({})).await;
    assert_eq!(code(&refused), (409, "waitpoint_closed"));
    let refused = ask(&api, &id, "resume", json!({})).await;
    assert_eq!(code(&refused), (409, "execution_not_suspended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_suspension_has_its_name() {
    let (database, api) = start().await;
    let (_, lease) = held(&api, json!({})).await;
    let create = async |body: Value| {
        let mut whole = json!({"lease": lease});
        let members = body.as_object().expect("an object").clone();
        whole.as_object_mut().expect("an object").extend(members);
        api.post("/v1/leases/waitpoints", whole).await
    };
    let (_, old) = create(json!({"waitpoint_key": "old", "expires_in_ms": 60_000})).await;
    let (_, open) = create(json!({"waitpoint_key": "open"})).await;
    let wish = |condition: Value, more: Value| {
        let mut body = json!({"lease": lease, "resume_condition": condition});
        let members = more.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(members);
        body
    };
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
            wish(named("old", "x"), used(&old["waitpoint_id"])),
            409,
            "pending_waitpoint_expired",
        ),
        (wish(a(), used(&unknown)), 404, "waitpoint_not_found"),
        (
            wish(
                named("open", "x"),
                bind(json!({"Fresh": {"waitpoint_key": "open"}})),
            ),
            409,
            "waitpoint_already_exists",
        ),
        (wish(json!("TimeoutOnly"), json!({})), 422, "invalid_input"),
        (
            wish(
                a(),
                json!({"timeout_ms": 1, "timeout_at": "2999-01-01T00:00:00Z"}),
            ),
            422,
            "invalid_input",
        ),
        (
            wish(a(), json!({"timeout_at": "2000-01-01T00:00:00Z"})),
            422,
            "invalid_input",
        ),
        (wish(a(), json!({"timeout_ms": 0})), 422, "invalid_input"),
        (
            wish(a(), json!({"state": 1, "state_text": "1"})),
            422,
            "invalid_input",
        ),
        (
            wish(a(), json!({"state_text": "x".repeat((1 << 20) + 1)})),
            422,
            "invalid_input",
        ),
        (
            wish(a(), json!({"log": "x".repeat(65_537)})),
            422,
            "invalid_input",
        ),
        (
            wish(a(), json!({"idempotency_key": ""})),
            422,
            "invalid_input",
        ),
        (
            wish(a(), json!({"reason_code": "boredom"})),
            400,
            "malformed_json",
        ),
        (
            wish(a(), json!({"resume_policy": {"delay": 1}})),
            400,
            "malformed_json",
        ),
        (wish(json!("Never"), json!({})), 400, "malformed_json"),
        (
            wish(a(), json!({"state": 1, "reason": "x"})),
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
        (json!({"waitpoint_key": "a\u{0}"}), 422, "invalid_input"),
        (
            json!({"waitpoint_key": "a".repeat(129)}),
            422,
            "invalid_input",
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

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_each_row_once() {
    let (_database, api) = start().await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 9, "count_kind": "DistinctSignals", "waitpoints": ["a"],
    }});
    let (id, _) = waiting(&api, condition).await;
    let mut sent = Vec::new();
    for number in 0..5 {
        let signal = json!({"signal_name": "x", "payload": number});
        let (_, answer) = ask(&api, &id, "operator-signal", signal).await;
        sent.push(answer["signal_id"].clone());
    }
    let mut read = Vec::new();
    let mut path = format!("/v1/executions/{id}/signals?limit=2");
    let mut pages = 0;
    loop {
        let (_, page) = api.get(&path).await;
        let rows = page["signals"].as_array().expect("a list");
        read.extend(rows.iter().map(|row| row["signal_id"].clone()));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/executions/{id}/signals?limit=2&after={cursor}");
    }
    assert_eq!((read, pages), (sent, 3));

    let (other, lease) = held(&api, json!({})).await;
    for number in 0..5 {
        let create = json!({"lease": lease, "waitpoint_key": format!("p{number}"),
                            "expires_in_ms": 1_000_000 - number * 1000});
        let (status, body) = api.post("/v1/leases/waitpoints", create).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    let (mut keys, mut path) = (Vec::new(), "/v1/waitpoints?limit=2".to_owned());
    loop {
        let (_, page) = api.get(&path).await;
        for row in page["waitpoints"].as_array().expect("a list") {
            assert_eq!(
                (&row["execution_id"], &row["state"]),
                (&json!(other), &json!("pending"))
            );
            keys.push(text(&row["waitpoint_key"]));
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/waitpoints?limit=2&after={cursor}");
    }
    assert_eq!(keys, ["p4", "p3", "p2", "p1", "p0"]);
    for path in [
        "/v1/waitpoints?after=x".to_owned(),
        format!("/v1/executions/{id}/signals?after=x"),
    ] {
        assert_eq!(
            code(&api.get(&path).await),
            (400, "invalid_query"),
            "{path}"
        );
    }
    let refused = api.get("/v1/waitpoints?limit=0").await;
    assert_eq!(code(&refused), (422, "invalid_input"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_sees_and_signals_its_own_only() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({"namespace": "acme"})).await;
    let create = json!({"lease": lease, "waitpoint_key": "early"});
    api.post("/v1/leases/waitpoints", create).await;
    let pending = async |namespace: &str| {
        let (_, page) = api
            .get(&format!("/v1/waitpoints?namespace={namespace}"))
            .await;
        page["waitpoints"].as_array().expect("a list").len()
    };
    assert_eq!((pending("acme").await, pending("other").await), (1, 0));
    let suspended = suspend(&api, &lease, named("a", "x"), json!({})).await;
    let token = &suspended["waitpoints"][0]["waitpoint_token"];
    for what in ["", "/waitpoints", "/suspensions", "/signals"] {
        let path = |namespace: &str| format!("/v1/executions/{id}{what}?namespace={namespace}");
        assert_eq!(api.get(&path("acme")).await.0, StatusCode::OK, "{what}");
        let refused = api.get(&path("other")).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{what}");
    }
    for (verb, body) in [
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a"}),
        ),
        ("approve", json!({"waitpoint": "a"})),
        ("reject", json!({"waitpoint": "a"})),
        ("resume", json!({})),
        ("waitpoints/a/close", json!({})),
        ("waitpoints/a/token", json!({})),
    ] {
        let refused = ask(&api, &id, &format!("{verb}?namespace=other"), body).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{verb}");
    }
    let signal = json!({"waitpoint_token": token, "signal_name": "x"});
    let refused = ask(&api, &id, "signal?namespace=other", signal.clone()).await;
    assert_eq!(code(&refused), (403, "invalid_token"));
    assert_eq!(of(&api, &id, "signals").await.len(), 0);
    let (status, body) = ask(&api, &id, "signal?namespace=acme", signal).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_wait_approve_and_resume_on_the_command_line() {
    let (_database, api) = start().await;
    let yes = || named("approval", "approved");
    let (id, open) = waiting(&api, yes()).await;
    let (code, out, err) = flowhost(&api, &["show", &id]).await;
    assert_eq!(code, 0, "{err}");
    for part in ["waiting_for_signal since", "ByName", "approval", "active"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, err) = flowhost(&api, &["waitpoints", &id]).await;
    assert!(code == 0 && out.contains("approval"), "{out}{err}");
    let (_, out, _) = flowhost(&api, &["waitpoints", &id, "--pending"]).await;
    assert_eq!(out, "no waitpoints\n");
    let (code, _, err) = flowhost(&api, &["approve", &id, "--waitpoint", "none"]).await;
    assert!(
        code == 3 && err.contains("waitpoint_not_found"),
        "{code} {err}"
    );
    let (code, out, err) = flowhost(&api, &["approve", &id, "--as", "alice", "--reject"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        out,
        "accepted; the execution waits for a signal of another name\n"
    );
    let (code, out, err) = flowhost(
        &api,
        &["approve", &id, "--reason", "fine", "--input", "{\"n\": 1}"],
    )
    .await;
    assert_eq!(
        (code, out.as_str()),
        (0, "accepted; the execution goes on\n"),
        "{err}"
    );
    let (_, out, _) = flowhost(&api, &["show", &id]).await;
    for part in [
        "approved at approval from operator bob: resume_condition_satisfied",
        "application/json, 8 B",
        "signal by bob",
        "satisfied after",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (_, out, _) = flowhost(&api, &["--json", "show", &id]).await;
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["suspensions"][0]["close_reason"], "satisfied");
    assert_eq!(shown["waitpoints"][0]["waitpoint_key"], "approval");
    assert_eq!(shown["signals"][1]["source_identity"], "bob");
    let token = text(&open["waitpoint_token"]);
    assert!(!out.contains(&token));
    complete(&api, &text(&claim_one(&api, "w-1").await["lease"])).await;

    let (id, open) = waiting(&api, named("a b", "x")).await;
    let (code, out, err) = flowhost(
        &api,
        &[
            "waitpoints",
            "token",
            &id,
            "a b",
            "--signal",
            "x",
            "--expires-in",
            "1h",
        ],
    )
    .await;
    assert_eq!(code, 0, "{err}");
    let (token, url) = out.trim_end().split_once('\n').expect("two lines");
    assert_eq!(url, format!("{}/v1/callbacks/{token}", api.host.url()));
    let (code, _, err) = flowhost(&api, &["signal", &id, "--token", token, "--name", "y"]).await;
    assert!(code == 7 && err.contains("invalid_token"), "{code} {err}");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{}\n", text(&open["waitpoint_token"]))).expect("written");
    let file = file.to_str().expect("text");
    let send = [
        "signal",
        &id,
        "--token-file",
        file,
        "--name",
        "y",
        "--key",
        "k",
    ];
    let (code, out, err) = flowhost(&api, &send).await;
    assert_eq!(
        (code, out.as_str()),
        (
            0,
            "accepted; the execution waits for a signal of another name\n"
        ),
        "{err}"
    );
    let (_, out, _) = flowhost(&api, &send).await;
    assert_eq!(out, "had been accepted before; nothing changed\n");
    let (code, out, err) = flowhost(&api, &["waitpoint", "close", &id, "a b"]).await;
    assert!(code == 0 && out.starts_with("closed; "), "{out}{err}");
    let operator = [
        "signal",
        &id,
        "--operator",
        "--waitpoint",
        "a b",
        "--name",
        "x",
    ];
    let (code, _, err) = flowhost(&api, &operator).await;
    assert!(
        code == 5 && err.contains("waitpoint_closed"),
        "{code} {err}"
    );
    let (code, out, err) = flowhost(&api, &["resume", &id, "--reason", "enough"]).await;
    assert_eq!(
        (code, out),
        (0, format!("{id} is waiting (waiting_for_worker)\n")),
        "{err}"
    );
    let (code, _, err) = flowhost(&api, &["resume", &id]).await;
    assert!(
        code == 5 && err.contains("execution_not_suspended"),
        "{code} {err}"
    );
    let claimed = claim_one(&api, "w-1").await;
    let create = json!({"lease": claimed["lease"], "waitpoint_key": "early"});
    api.post("/v1/leases/waitpoints", create).await;
    let (_, out, _) = flowhost(&api, &["waitpoints"]).await;
    assert!(out.contains(&id) && out.contains("early"), "{out}");
}
