//! Handlers that record their end themselves: what they may do from then on, and
//! for how long; and outcomes that the database does not take.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor as _;
use testkit::{database, eventually};

use crate::support::api::{Api, SOON, builder};

/// A text of a script, said once.
fn say(text: &str) -> Value {
    json!([text, 1])
}

fn puppet(acts: Value, end: Value) -> Value {
    json!({"kind": "puppet", "input": {"acts": acts, "end": end},
        "policy": {"retry_policy": {"max_retries": 0}}})
}

/// Defines the kind of the child that [`ends`] starts.
async fn never_served(api: &Api) {
    let kind = api.ask(Method::PUT, "/v1/kinds/never", Some(json!({})));
    assert!(kind.await.0.is_success());
}

/// The acts that bring an execution into a state.
fn ends() -> [(&'static str, Vec<Value>); 6] {
    let text = [say("text/plain"), say("done")];
    // Of a kind that no worker serves.
    let members = [[say("never"), say("never"), say("")]];
    let child = json!({"flow": {"start": {"members": members}}});
    [
        ("completed", vec![json!({"complete": text})]),
        (
            "failed",
            vec![json!({"fail": [1, say("broken"), say("it broke")]})],
        ),
        ("delayed", vec![json!({"delay": 3_600_000})]),
        ("waiting_children", vec![child, json!("wait_children")]),
        (
            "suspended",
            vec![json!({"suspend": [say("a"), null, null, null]})],
        ),
        ("cancelled", vec![json!({"cancel": say("enough")})]),
    ]
}

/// With two slots, and six times as many guests that stay on.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_stopped_soon_after_it_recorded_its_outcome() {
    let database = database().await;
    let builder = builder(&database)
        .environment("FLOWHOST_SANDBOX_OUTCOME_GRACE_MS", "200")
        .argument("--slots")
        .argument("2");
    let api = Api::start(builder, &["puppet", "echo"]).await;
    never_served(&api).await;
    let mut made = Vec::new();
    for (state, end) in ends() {
        for stay in [json!({"sleep": 600_000}), json!("spin")] {
            let acts: Vec<Value> = end.iter().cloned().chain([stay]).collect();
            let script = puppet(json!(acts), json!("recorded"));
            made.push((state, api.create(script).await));
        }
    }
    let begun = Instant::now();
    let echo = json!({"kind": "echo", "input_text": "behind them all"});
    let echo = api.run(echo).await;
    assert_eq!(echo["public_state"], "completed", "{echo}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    for (state, id) in made {
        let info = api.until(&id, state).await;
        assert_eq!(info["attempts"], 1, "{info}");
        let leases = &api.attempts(&id).await[0]["leases"];
        assert_eq!(leases.as_array().map(Vec::len), Some(1), "{leases}");
    }
    database.assert_invariants().await;
}

/// With one slot, which is free although the service keeps running.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_holds_no_slot_for_a_lease_it_has_ended() {
    let database = database().await;
    let builder = builder(&database).argument("--slots").argument("1");
    let api = Api::start(builder, &["puppet-service", "echo"]).await;
    let text = [say("text/plain"), say("done")];
    let acts = json!([{"complete": text}, {"sleep": 600_000}]);
    let mut script = puppet(acts, json!("recorded"));
    script["kind"] = json!("puppet-service");
    let info = api.run(script).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let echo = json!({"kind": "echo", "input_text": "beside it"});
    let echo = api.run(echo).await;
    assert_eq!(echo["public_state"], "completed", "{echo}");
    assert_eq!(api.metric("flowhost_service_restarts_total").await, 0.0);
    database.assert_invariants().await;
}

/// A suspension answers with tokens, so its guest must be able to hand them on.
#[tokio::test(flavor = "multi_thread")]
async fn after_recording_its_outcome_a_handler_may_act_on_others_but_not_under_its_lease() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    never_served(&api).await;
    let text = [say("text/plain"), say("other")];
    for (state, end) in ends() {
        // The same verb again would be a repeat, which is answered as such.
        let other = match state {
            "delayed" => json!({"cancel": say("no")}),
            _ => json!({"delay": 1}),
        };
        let more = json!([
            {"progress": [50, say("on")]},
            {"complete": text},
            other,
            {"waitpoint": [say("b"), []]},
            {"suspend": [say("b"), null, null, null]},
            "tell",
        ]);
        let more = more.as_array().expect("a list").iter().cloned();
        let acts: Vec<Value> = end.iter().cloned().chain(more).collect();
        let id = api.create(puppet(json!(acts), json!("recorded"))).await;
        api.until(&id, state).await;
        let told = eventually("it has told an echo", async || {
            let (_, page) = api.get("/v1/executions?kind=echo").await;
            let echoes = page["executions"].as_array().expect("a list");
            let author = json!(format!("execution:{id}"));
            let mut echoes = echoes.iter().filter(|echo| echo["creator"] == author);
            echoes.next().map(|echo| echo["id"].clone())
        })
        .await;
        let told = told.as_str().expect("an id");
        api.wait(told).await;
        let told = String::from_utf8(api.result(told).await.1).expect("text");
        let answers: Vec<&str> = told.lines().collect();
        assert_eq!(answers.len(), end.len() + 5, "{told}");
        let (ended, after) = answers.split_at(end.len());
        assert!(
            ended.iter().all(|it| it.starts_with("Ok")),
            "{state}: {told}"
        );
        for refused in after {
            assert!(refused.contains("ExecutionNotActive"), "{state}: {told}");
        }
    }
    database.assert_invariants().await;
}

/// A failure with such a message was refused by the engine, which only a log said,
/// and its attempt was made again whenever its lease had lapsed.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_with_text_that_cannot_be_stored_is_recorded_once() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "puppet-service"]).await;
    for (kind, end, class, code, said) in [
        (
            "puppet",
            json!({"failed": [1, say("broken"), say("a\0b")]}),
            "permanent",
            "broken",
            "a\u{fffd}b",
        ),
        (
            "puppet",
            json!({"failed": [1, say("\0"), say("\0")]}),
            "permanent",
            "guest_failure",
            "\\0: \u{fffd}",
        ),
        (
            "puppet",
            json!({"completed": [say("a\0"), say("")]}),
            "permanent",
            "result_invalid",
            "content_type",
        ),
        (
            "puppet-service",
            json!({"failed": [1, say("broken"), say("a\0b")]}),
            "infra_crash",
            "service_ended",
            "a\u{fffd}b",
        ),
    ] {
        let mut script = puppet(json!([]), end.clone());
        script["kind"] = json!(kind);
        let info = api.run(script).await;
        let failure = &info["failure"];
        let message = failure["message"].as_str().unwrap_or_default();
        assert_eq!(
            (&failure["class"], &failure["code"], &info["attempts"]),
            (&json!(class), &json!(code), &json!(1)),
            "{end}: {info}"
        );
        assert!(message.contains(said), "{end}: {message}");
    }
    database.assert_invariants().await;
}

/// As if a rule of the database were stricter than those of the engine.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_the_database_refuses_becomes_a_failure_that_says_so() {
    let database = database().await;
    let mut connection = database.connection().await;
    for rule in [
        "ALTER TABLE finished ADD CONSTRAINT no_odd_results CHECK (result_type <> 'text/odd')",
        "ALTER TABLE finished ADD CONSTRAINT no_odd_failures CHECK (failure_code <> 'odd')",
    ] {
        connection.execute(rule).await.expect("a rule");
    }
    let api = Api::start(builder(&database), &["puppet"]).await;
    for end in [
        json!({"completed": [say("text/odd"), say("")]}),
        json!({"failed": [1, say("odd"), say("")]}),
    ] {
        let info = api.run(puppet(json!([]), end.clone())).await;
        let failure = &info["failure"];
        assert_eq!(
            (&info["public_state"], &failure["class"], &failure["code"]),
            (
                &json!("failed"),
                &json!("infra_crash"),
                &json!("host_fault")
            ),
            "{end}: {info}"
        );
        assert_eq!(info["attempts"], 1, "{info}");
    }
    database.assert_invariants().await;
}
