//! The code of a fault is the same in every verb and on every surface: over HTTP, on the
//! command line, and in what a component is answered.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, code, flowhost, text, with};
use crate::support::http_work::{claim_one, register, word};

/// A request that is wrong in one way, on one surface.
enum Ask {
    /// Over HTTP: method, path and body.
    Http(Method, String, Value),
    /// One of several items of a request over HTTP: path, body, and where its problem is.
    Item(&'static str, Value, &'static str),
    /// On the command line.
    Command(Vec<String>),
    /// By a component: what the guest `puppet` is told to do.
    Guest(Value),
}

/// What a fault is called, its status, and the requests that have it.
struct Row(&'static str, u16, Vec<Ask>);

fn post(path: &str, body: Value) -> Ask {
    Ask::Http(Method::POST, path.to_owned(), body)
}

fn command(arguments: &[&str]) -> Ask {
    Ask::Command(arguments.iter().map(|it| (*it).to_owned()).collect())
}

fn create(more: Value) -> Ask {
    post("/v1/executions", with(word("x"), more))
}

fn batch(more: Value) -> Ask {
    let body = json!({"executions": [with(word("x"), more)]});
    Ask::Item("/v1/executions/batch", body, "/results/0/problem")
}

/// The execution that a worker holds: its id and the handle of the lease.
struct Held {
    id: String,
    lease: String,
}

fn tag_keys(held: &Held) -> Vec<Ask> {
    let of = format!("/v1/executions/{}/tags", held.id);
    let wrong = json!({"tags": {"Bad": "x"}});
    vec![
        create(wrong.clone()),
        batch(wrong.clone()),
        post("/v1/executions?kind=word&tag=Bad:x", json!("x")),
        Ask::Http(Method::PATCH, of, wrong),
        Ask::Http(Method::GET, "/v1/executions?tag=Bad:x".into(), Value::Null),
        command(&["submit", "word", "--input", "1", "--tag", "Bad=x"]),
        command(&["tag", &held.id, "Bad=x"]),
        command(&["tag", &held.id, "Bad-"]),
        command(&["list", "--tag", "Bad=x"]),
        Ask::Guest(
            json!({"create": [["echo", 1], [["", 0], ["x", 1]], null, null,
                                     [[["Bad", 1], ["x", 1]]]]}),
        ),
        Ask::Guest(json!({"label": [[held.id, 1], [[["Bad", 1], ["x", 1]]]]})),
    ]
}

fn capabilities(held: &Held) -> Vec<Ask> {
    let (wrong, id) = (json!({"capabilities": ["a,b"]}), &held.id);
    let required = json!({"policy": {"routing_requirements": {"required_capabilities": [""]}}});
    let worker = json!({"worker_id": "w", "worker_instance_id": "w-1"});
    let policy = required["policy"].to_string();
    vec![
        create(required.clone()),
        batch(required),
        command(&["submit", "word", "--input", "1", "--policy", &policy]),
        post(
            "/v1/workers",
            with(
                worker.clone(),
                with(wrong.clone(), json!({"kinds": ["word"]})),
            ),
        ),
        post(
            "/v1/workers/w-1/claim",
            with(json!({"kinds": ["word"]}), wrong.clone()),
        ),
        post(
            "/v1/workers/w-1/claim-grant",
            with(json!({"worker_id": "w", "lane": "default"}), wrong.clone()),
        ),
        post(
            &format!("/v1/executions/{id}/claim-grant"),
            with(worker.clone(), wrong.clone()),
        ),
        post(
            &format!("/v1/executions/{id}/reclaim-grant"),
            with(worker, wrong),
        ),
        Ask::Guest(json!({"request": {"capabilities": [["a,b", 1]]}})),
        Ask::Guest(json!({"request": {"policy": [policy, 1]}})),
    ]
}

fn blocking_reasons(held: &Held) -> Vec<Ask> {
    let id = &held.id;
    let mut asks = vec![
        post(
            &format!("/v1/executions/{id}/unblock"),
            json!({"expected_reason": "boredom"}),
        ),
        command(&["unblock", id, "--expect", "boredom"]),
    ];
    for wrong in ["boredom", "", "none", "waiting_for_delay"] {
        asks.push(post(
            &format!("/v1/executions/{id}/block"),
            json!({"blocking_reason": wrong}),
        ));
        asks.push(command(&["block", id, wrong]));
    }
    asks
}

fn policies() -> Vec<Ask> {
    let mut asks = Vec::new();
    for wrong in [
        json!({"retries": 3}),
        json!("fast"),
        json!([]),
        json!({"retry_policy": {"max_retries": 1001}}),
        json!({"retention_ms": 0}),
        json!({"timeout_policy": {"attempt_timeout_ms": "1s"}}),
    ] {
        let (text, policy) = (wrong.to_string(), json!({"policy": wrong}));
        asks.push(Ask::Guest(json!({"request": {"policy": [text, 1]}})));
        asks.push(create(policy.clone()));
        asks.push(batch(policy));
        asks.push(command(&[
            "submit", "word", "--input", "1", "--policy", &text,
        ]));
    }
    asks.push(command(&[
        "submit", "word", "--input", "1", "--policy", "{",
    ]));
    asks
}

fn waitpoint_keys(held: &Held) -> Vec<Ask> {
    let (id, long) = (&held.id, "k".repeat(129));
    let lease = |more: Value| with(json!({"lease": held.lease}), more);
    let matched = json!({"waitpoint_key": long, "matcher": "Wildcard"});
    let bound = |binding: Value| {
        let condition = json!({"resume_condition": "OperatorOnly", "waitpoints": [binding]});
        post("/v1/leases/suspend", lease(condition))
    };
    vec![
        post(
            "/v1/leases/waitpoints",
            lease(json!({"waitpoint_key": long})),
        ),
        post(
            "/v1/leases/waitpoints/close",
            lease(json!({"waitpoint": long})),
        ),
        post(
            "/v1/leases/suspend",
            lease(json!({"resume_condition": {"Single": matched}})),
        ),
        bound(json!({"Fresh": {"waitpoint_key": long}})),
        bound(json!({"Keyed": {"waitpoint_key": long}})),
        post(
            &format!("/v1/executions/{id}/waitpoints/{long}/close"),
            json!({}),
        ),
        post(
            &format!("/v1/executions/{id}/waitpoints/{long}/token"),
            json!({}),
        ),
        post(
            &format!("/v1/executions/{id}/operator-signal"),
            json!({"waitpoint": long, "signal_name": "x"}),
        ),
        post(
            &format!("/v1/executions/{id}/approve"),
            json!({"waitpoint": long}),
        ),
        command(&["waitpoints", "close", id, &long]),
        command(&[
            "signal",
            id,
            "--operator",
            "--name",
            "x",
            "--waitpoint",
            &long,
        ]),
        Ask::Guest(json!({"waitpoint": [["k", 129], []]})),
        Ask::Guest(json!({"suspend": [["k", 129], null, null, null]})),
        Ask::Guest(json!({"close": ["k", 129]})),
    ]
}

fn payloads(held: &Held) -> Vec<Ask> {
    let (id, mib) = (&held.id, "x".repeat((1 << 20) + 1));
    let lease = |more: Value| with(json!({"lease": held.lease}), more);
    let condition = json!({"resume_condition": "OperatorOnly", "state_text": mib});
    let signal = json!({"signal_name": "x", "payload_text": "x".repeat((64 << 10) + 1)});
    vec![
        create(json!({"input_text": mib})),
        batch(json!({"input_text": mib})),
        post("/v1/executions?kind=word", json!(mib)),
        post("/v1/leases/complete", lease(json!({"result_text": mib}))),
        post("/v1/leases/suspend", lease(condition)),
        post(
            &format!("/v1/executions/{id}/complete"),
            json!({"result_text": mib}),
        ),
        post(&format!("/v1/executions/{id}/operator-signal"), signal),
        Ask::Guest(json!({"complete": [["text/plain", 1], ["x", (1 << 20) + 1]]})),
        Ask::Guest(
            json!({"create": [["echo", 1], [["", 0], ["x", (1 << 20) + 1]], null, null, []]}),
        ),
        Ask::Guest(json!({"signal": [["x", 1], ["t", 1], null, [["", 0], ["x", (64 << 10) + 1]]]})),
        Ask::Guest(json!({"suspend": [["k", 1], [["", 0], ["x", (1 << 20) + 1]], null, null]})),
    ]
}

fn reclaims(held: &Held) -> Vec<Ask> {
    let worker = json!({"worker_id": "w", "worker_instance_id": "w-1"});
    vec![post(
        &format!("/v1/executions/{}/reclaim-grant", held.id),
        worker,
    )]
}

/// Asks, and returns the status and the code; there is no status on the command line and in
/// a component.
async fn asked(api: &Api, ask: &Ask) -> (Option<u16>, String) {
    match ask {
        Ask::Http(method, path, body) => {
            let body = (!body.is_null()).then(|| body.clone());
            let answer = api.ask(method.clone(), path, body).await;
            let (status, code) = code(&answer);
            (Some(status), code.to_owned())
        }
        Ask::Item(path, body, at) => {
            let (_, answer) = api.post(path, body.clone()).await;
            let problem = answer.pointer(at).unwrap_or_else(|| panic!("{answer}"));
            let status = problem["status"].as_u64().and_then(|it| it.try_into().ok());
            (status, text(&problem["code"]))
        }
        Ask::Command(arguments) => {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let (exit, _, complaint) = flowhost(api, &arguments).await;
            assert_eq!(exit, 9, "{arguments:?}: {complaint}");
            let code = complaint.trim_end().rsplit_once('(').map(|(_, code)| code);
            (
                None,
                code.unwrap_or(&complaint).trim_end_matches(')').to_owned(),
            )
        }
        Ask::Guest(act) => {
            let script = json!({"acts": [act], "end": "answers"});
            let info = api.run(json!({"kind": "puppet", "input": script})).await;
            let (_, told) = api.result(&text(&info["id"])).await;
            let told = String::from_utf8(told).expect("text");
            let begins = told.split_once("nvalid(\"").map(|(_, text)| text);
            let code = begins.and_then(|text| text.split_once(": "));
            (None, code.map_or(told.clone(), |(code, _)| code.to_owned()))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_has_one_name_in_every_verb_and_on_every_surface() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo", "puppet"]).await;
    register(&api, "w", "w-1").await;
    let id = api.create(word("held")).await;
    let lease = text(&claim_one(&api, "w-1").await["lease"]);
    let held = Held { id, lease };
    let table = [
        Row("invalid_tag_key", 422, tag_keys(&held)),
        Row("invalid_capabilities", 422, capabilities(&held)),
        Row("invalid_blocking_reason", 422, blocking_reasons(&held)),
        Row("invalid_policy_json", 422, policies()),
        Row("invalid_waitpoint_key", 422, waitpoint_keys(&held)),
        Row("payload_too_large", 413, payloads(&held)),
        Row("execution_not_reclaimable", 409, reclaims(&held)),
    ];
    let mut wrong = Vec::new();
    for Row(name, status, asks) in &table {
        for ask in asks {
            let (found, code) = asked(&api, ask).await;
            if code != *name || found.is_some_and(|found| found != *status) {
                let ask: String = match ask {
                    Ask::Http(method, path, body) => format!("{method} {path} {body}"),
                    Ask::Item(path, body, _) => format!("{path} {body}"),
                    Ask::Command(arguments) => arguments.join(" "),
                    Ask::Guest(act) => act.to_string(),
                };
                let ask: String = ask.chars().take(200).collect();
                wrong.push(format!("{name}: {ask}: {found:?} {code}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nothing of it did anything.
    let (_, info) = api.get(&format!("/v1/executions/{}", held.id)).await;
    assert_eq!(info["public_state"], "active", "{info}");
    database.assert_invariants().await;
}
