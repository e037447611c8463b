//! Components that wait for the world, on a real host: a suspension costs no
//! sandbox, what comes is not lost, the handler resumes with its state under a new
//! lease, and nothing a guest asks for wrongly does any harm.

use engine::{Addressee, Delivered, Engine, SendSignal, WaitpointRef};
use model::SignalEffect;
use serde_json::{Value, json};
use testkit::{Answered, database, eventually};

use crate::support::api::{Api, builder, once};
use crate::support::lists;
use crate::support::work::{operate, text};

/// Sends a signal as an operator, in the name of a person.
async fn signal(engine: &Engine, id: &str, key: &str, name: &str, from: &str) -> Delivered {
    let deliver = SendSignal {
        to: Addressee::Operator {
            operate: operate(id.parse().expect("an id")),
            waitpoint: WaitpointRef::Key(key.to_owned()),
        },
        name: name.to_owned(),
        category: None,
        source_type: "person".to_owned(),
        source_identity: from.to_owned(),
        credential: None,
        correlation_id: None,
        payload: Some(text("now")),
        idempotency_key: None,
        dedup_ttl_ms: None,
    };
    let answer = engine.send_signal(deliver).await.answered();
    answer.unwrap_or_else(|refusal| panic!("{id} {name}: {refusal}"))
}

async fn result(api: &Api, id: &str) -> String {
    let info = api.wait(id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let (_, data) = api.result(id).await;
    String::from_utf8(data).expect("text")
}

/// Runs a handler that waits for nothing and returns what it was answered.
async fn answer(api: &Api, order: &str) -> String {
    let id = api.create(once("restless", order)).await;
    result(api, &id).await
}

/// Returns how the leases of the only attempt ended.
async fn leases(api: &Api, id: &str) -> Vec<Value> {
    let attempts = api.attempts(id).await;
    assert_eq!(attempts.len(), 1, "it is one attempt: {attempts:?}");
    let leases = attempts[0]["leases"].as_array().expect("a list");
    leases.iter().map(|lease| lease["ended"].clone()).collect()
}

/// Waits until the execution is suspended, and returns the token it gave out.
async fn token(api: &Api, id: &str) -> String {
    api.until(id, "suspended").await;
    let attempts = api.attempts(id).await;
    let log = attempts[0]["leases"][0]["log"].as_str().expect("a log");
    let (_, rest) = log.split_once("/v1/callbacks/").expect(log);
    rest.split_whitespace().next().expect(log).to_owned()
}

fn deployment(timeout_s: u32) -> Value {
    json!({"kind": "approval", "input": {
        "service": "payments", "version": "1.4.2", "timeout_s": timeout_s}})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_are_waited_for_without_a_sandbox() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["approval"]).await;
    let id = api.create(deployment(3600)).await;
    let info = api.until(&id, "suspended").await;
    eventually("the sandbox is gone", async || {
        (api.metric("flowhost_sandboxes_live").await == 0.0).then_some(())
    })
    .await;
    assert_eq!(info["attempts"], 1, "{info}");
    let mut effects = Vec::new();
    for who in ["alice", "alice", "bob"] {
        let delivered = signal(&engine, &id, "approval", "approved", who).await;
        effects.push(delivered.effect);
    }
    assert_eq!(
        effects,
        [
            SignalEffect::AppendedToWaitpoint,
            SignalEffect::AppendedToWaitpointDuplicate,
            SignalEffect::ResumeConditionSatisfied
        ]
    );
    let decision: Value = serde_json::from_str(&result(&api, &id).await).expect("JSON");
    assert_eq!(decision["decided_by"], "approvers", "{decision}");
    assert_eq!(decision["approvers"], json!(["alice", "bob"]), "{decision}");
    assert_eq!(leases(&api, &id).await, ["suspended", "success"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_resume_reaches_the_handler_as_such() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["approval"]).await;
    let id = api.create(deployment(3600)).await;
    api.until(&id, "suspended").await;
    signal(&engine, &id, "approval", "approved", "alice").await;
    let resumed = engine
        .resume(operate(id.parse().expect("an id")), None)
        .await;
    resumed.accepted();
    let decision: Value = serde_json::from_str(&result(&api, &id).await).expect("JSON");
    assert_eq!(decision["decided_by"], "operator", "{decision}");
    assert_eq!(decision["approvers"], json!([]), "nothing was satisfied");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_resumes_a_handler_without_a_signal() {
    let database = database().await;
    let api = Api::start(builder(&database), &["callback"]).await;
    let id = api
        .create(json!({"kind": "callback", "input": {"order": "A-17", "timeout_s": 1}}))
        .await;
    let nothing: Value = serde_json::from_str(&result(&api, &id).await).expect("JSON");
    assert_eq!(nothing, json!({"order": "A-17", "came": false}));
    assert_eq!(leases(&api, &id).await, ["suspended", "success"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_waitpoint_to_its_own_namespace_alone() {
    let database = database().await;
    let api = Api::start(builder(&database), &["callback", "restless"]).await;
    let payment = json!({"kind": "callback", "input": {"order": "A-17"}});
    let id = api.create(payment).await;
    let token = token(&api, &id).await;
    let send = format!("send {token}");

    let mut elsewhere = once("restless", &send);
    elsewhere["namespace"] = json!("elsewhere");
    let stranger = api.create(elsewhere).await;
    let refused = "Err(SignalError::InvalidToken)";
    assert_eq!(result(&api, &stranger).await, refused);
    let last = if token.ends_with('A') { "B" } else { "A" };
    let changed = format!("send {}{last}", &token[..token.len() - 1]);
    assert_eq!(answer(&api, &changed).await, refused);
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["public_state"], "suspended", "{info}");

    let accepted = "Ok(Effect::ResumeConditionSatisfied)";
    assert_eq!(answer(&api, &send).await, accepted);
    assert_eq!(result(&api, &id).await, "", "the call brought nothing");
    let late = answer(&api, &send).await;
    assert!(
        late.contains("WaitpointClosed") || late.contains("TargetNotSignalable"),
        "{late}"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn early_signals_satisfy_a_suspension_immediately() {
    let database = database().await;
    let api = Api::start(builder(&database), &["restless"]).await;
    let id = api.create(once("restless", "early")).await;
    assert_eq!(
        result(&api, &id).await,
        "Ok(Effect::BufferedForPendingWaitpoint)\nalready satisfied by hello"
    );
    assert_eq!(leases(&api, &id).await, ["success"]);
    database.assert_invariants().await;
}

/// A resumption is there again for the next attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_is_a_checkpoint() {
    let database = database().await;
    let engine = database.engine().await;
    let short = || builder(&database).argument("--lease-ttl").argument("1s");
    let mut api = Api::start(short(), &["restless"]).await;
    let expected =
        "ResumeReason::Satisfied with put down and [go from person: now], observed Ok(1)";

    let crashing = api
        .create(
            json!({"kind": "restless", "input_text": "crash", "policy": {
            "retry_policy": {"max_retries": 1, "backoff": {"type": "fixed", "delay_ms": 10}}}}),
        )
        .await;
    api.until(&crashing, "suspended").await;
    signal(&engine, &crashing, "a", "go", "alice").await;
    assert_eq!(result(&api, &crashing).await, expected);
    let attempts = api.attempts(&crashing).await;
    let ends: Vec<_> = attempts
        .iter()
        .flat_map(|attempt| attempt["leases"].as_array().expect("a list"))
        .map(|lease| lease["ended"].as_str().expect("an end"))
        .collect();
    assert_eq!(ends, ["suspended", "failure", "success"]);

    let lingering = api.create(once("restless", "linger")).await;
    api.until(&lingering, "suspended").await;
    signal(&engine, &lingering, "a", "go", "alice").await;
    api.until(&lingering, "active").await;
    api.host.kill();
    let api = Api::start(short(), &[]).await;
    assert_eq!(result(&api, &lingering).await, expected);
    let attempts = api.attempts(&lingering).await;
    assert_eq!(attempts[1]["attempt_type"], "reclaim", "{attempts:?}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_resumes_each_lease_with_its_own_state() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["wayward"]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = api.create(once("wayward", "suspend")).await;
        api.until(&id, "suspended").await;
        ids.push(id);
    }
    for id in &ids {
        signal(&engine, id, "a", "go", "alice").await;
    }
    for id in &ids {
        assert_eq!(result(&api, id).await, *id);
        assert_eq!(leases(&api, id).await, ["suspended", "success"]);
    }
    assert_eq!(api.metric("flowhost_service_restarts_total").await, 0.0);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_suspension_requests_are_refused_by_name_and_do_not_harm_the_host() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["restless", "echo"]).await;
    for (order, name) in [
        ("empty", "flat_empty"),
        ("dangling", "flat_index_dangling"),
        ("cycle", "flat_cycle"),
        ("shared", "flat_several_parents"),
        ("deep", "condition_depth_exceeded"),
        ("huge", "condition_nodes_exceeded"),
        ("mentions", "condition_mentions_exceeded"),
        ("bindings", "waitpoints_exceeded"),
        ("binding", "waitpoint_id"),
        ("stranger", "WaitpointNotFound"),
        ("state", "payload_too_large: state: 2097152 bytes"),
        ("never", "timeout_at"),
        ("yesterday", "timeout_at"),
        ("pointless", "timeout_behavior: `cancel` would never happen"),
        ("nobody", "timeout_only_without_deadline"),
        (
            "waitpoints",
            "256: SuspendError::WaitpointLimitExceeded(256)",
        ),
        ("flood", "payload_too_large: payload: 1048576 bytes"),
        ("flood", "invalid_input: signal_name"),
    ] {
        let answer = answer(&api, order).await;
        assert!(answer.contains(name), "{order}: {answer}");
    }
    let forged = answer(&api, "forge").await;
    assert_eq!(forged, ["Err(SignalError::InvalidToken)"; 4].join("\n"));

    let late = api.create(once("restless", "late")).await;
    assert_eq!(result(&api, &late).await, "done");
    let twice = api.create(once("restless", "twice")).await;
    let said = result(&api, &twice).await;
    assert!(
        said.contains("with first and [answer from execution:")
            && said.contains("ExecutionNotActive"),
        "{said}"
    );
    let id = twice.parse().expect("an id");
    assert_eq!(lists::suspensions(&engine, id).await.len(), 1);
    let echo = api.run(once("echo", "still here")).await;
    assert_eq!(echo["public_state"], "completed", "{echo}");
    database.assert_invariants().await;
}
