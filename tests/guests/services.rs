//! Components of the world `service` on a real host: what a service may rely on,
//! and what one that misbehaves costs whom.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{database, eventually, guest};

use crate::support::api::{Api, builder, once};

/// Waits until so many services run.
async fn services(api: &Api, running: f64) {
    eventually(&format!("{running} services run"), async || {
        (api.metric("flowhost_services_running").await == running).then_some(())
    })
    .await;
}

/// Runs an execution and returns its result as text.
async fn said(api: &Api, input: &str) -> String {
    let info = api.run(once("wayward", input)).await;
    assert_eq!(info["public_state"], "completed", "{input}: {info}");
    text(api, &info).await
}

async fn text(api: &Api, info: &Value) -> String {
    let (_, data) = api.result(info["id"].as_str().expect("an id")).await;
    String::from_utf8(data).expect("text")
}

async fn only_attempt(api: &Api, id: &str) -> Value {
    let attempts = api.attempts(id).await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    attempts[0].clone()
}

fn patient(input: &str, max_retries: u32) -> Value {
    json!({"kind": "wayward", "input_text": input, "policy": {"retry_policy": {
        "max_retries": max_retries, "backoff": {"type": "fixed", "delay_ms": 10}}}})
}

/// With one slot, so that a service that waits is seen to hold none.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_completes_many_executions_in_one_run() {
    let database = database().await;
    let builder = builder(&database).argument("--slots").argument("1");
    let api = Api::start(builder, &["spelling", "echo"]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(api.create(once("spelling", "the harbuor\nmaster")).await);
        let echo = api.run(once("echo", "beside it")).await;
        assert_eq!(echo["public_state"], "completed", "{echo}");
    }
    let mut numbers = Vec::new();
    for id in &ids {
        let info = api.wait(id).await;
        assert_eq!(info["public_state"], "completed", "{info}");
        let report: Value = serde_json::from_str(&text(&api, &info).await).expect("JSON");
        assert_eq!(
            report,
            json!({"words": 3, "unknown": [
                {"word": "harbuor", "line": 1, "suggestions": ["harbour"]}]})
        );
        let lease = &only_attempt(&api, id).await["leases"][0];
        let log = lease["log"].as_str().expect("a log");
        let (_, number) = log.split_once("text ").expect("a number");
        numbers.push(number.split(' ').next().expect("a number").to_owned());
        let calls = lease["usage"]["host_calls"].as_u64().expect("usage");
        assert!((1..10).contains(&calls), "{calls} calls under one lease");
    }
    numbers.sort();
    assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
    assert!(
        api.host.log().contains("made an index of"),
        "what it says without a lease is in the host's log"
    );
    assert_eq!(api.metric("flowhost_services_running").await, 1.0);
    assert_eq!(api.metric("flowhost_service_restarts_total").await, 0.0);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_fail_with_the_sandbox_of_their_service() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward"]).await;
    let info = api.run(patient("trap-once", 3)).await;
    assert_eq!(
        (&info["public_state"], &info["attempts"]),
        (&json!("completed"), &json!(2)),
        "{info}"
    );
    let attempts = api.attempts(info["id"].as_str().expect("an id")).await;
    let failure = &attempts[0]["leases"][0]["failure"];
    assert_eq!(
        (&failure["class"], &failure["code"]),
        (&json!("infra_crash"), &json!("guest_trap")),
        "{failure}"
    );
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains("asked to trap once"), "{message}");
    let backtrace = failure["backtrace"].as_str().expect("a backtrace");
    assert!(backtrace.contains("wayward"), "{backtrace}");

    // What else it held goes down with it.
    let kept = api.create(once("wayward", "keep")).await;
    api.until(&kept, "active").await;
    let returned = api.run(once("wayward", "return")).await;
    assert_eq!(returned["failure"]["code"], "service_ended", "{returned}");
    let kept = api.wait(&kept).await;
    assert_eq!(kept["failure"]["code"], "service_ended", "{kept}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_ends_at_the_retry_policy_and_does_not_harm_the_host() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward", "echo"]).await;
    let mut doomed = Vec::new();
    for _ in 0..3 {
        doomed.push(api.create(patient("trap", 1)).await);
    }
    for id in &doomed {
        let echo = api.run(once("echo", "still here")).await;
        assert_eq!(echo["public_state"], "completed", "{echo}");
        let info = api.wait(id).await;
        assert_eq!(
            (&info["public_state"], &info["attempts"]),
            (&json!("failed"), &json!(2)),
            "{info}"
        );
        assert_eq!(info["failure"]["code"], "guest_trap", "{info}");
    }
    // The component itself is served again as well, after a pause.
    assert_eq!(said(&api, "anything").await, "1");
    assert!(api.metric("flowhost_service_restarts_total").await >= 6.0);
    let log = api.host.log();
    assert!(
        log.contains("a service ended by itself") && log.contains("wasm backtrace"),
        "{log}"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_reaches_the_lease_and_stops_a_service_that_ignores_it() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward"]).await;
    for (input, lives_on) in [("wait", true), ("spin", false)] {
        let id = api.create(once("wayward", input)).await;
        api.until(&id, "active").await;
        let path = format!("/v1/executions/{id}/cancel");
        let (status, body) = api.post(&path, json!({"reason": "enough"})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(api.wait(&id).await["public_state"], "cancelled");
        let taken = said(&api, "next").await;
        assert_eq!(
            taken != "1",
            lives_on,
            "{input}: taken in this life: {taken}"
        );
    }
    assert!(api.host.log().contains("service_stopped"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_past_its_attempt_limit_fails_and_stops_a_service_that_keeps_it() {
    let database = database().await;
    let builder = builder(&database).environment("FLOWHOST_SANDBOX_CPU_MS_MAX", "500");
    let api = Api::start(builder, &["wayward"]).await;
    let kept = api
        .run(json!({"kind": "wayward", "input_text": "keep", "policy": {
            "retry_policy": {"max_retries": 0},
            "timeout_policy": {"attempt_timeout_ms": 300}}}))
        .await;
    assert_eq!(kept["public_state"], "expired", "{kept}");
    assert_eq!(kept["failure"]["code"], "attempt_timeout", "{kept}");
    eventually("the service is stopped", async || {
        (api.metric("flowhost_service_restarts_total").await >= 1.0).then_some(())
    })
    .await;
    let spun = api.run(once("wayward", "spin")).await;
    assert_eq!(
        (&spun["failure"]["class"], &spun["failure"]["code"]),
        (&json!("infra_crash"), &json!("cpu_limit")),
        "{spun}"
    );
    assert_eq!(said(&api, "next").await, "1");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_lease_is_returned_once_and_then_fails() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward"]).await;
    let info = api.run(once("wayward", "drop")).await;
    assert_eq!(
        (&info["public_state"], &info["failure"]["code"]),
        (&json!("failed"), &json!("lease_dropped")),
        "{info}"
    );
    let attempts = api.attempts(info["id"].as_str().expect("an id")).await;
    let ends: Vec<_> = attempts
        .iter()
        .map(|attempt| (&attempt["attempt_type"], &attempt["leases"][0]["ended"]))
        .collect();
    assert_eq!(
        ends,
        [
            (&json!("initial"), &json!("released")),
            (&json!("reclaim"), &json!("failure"))
        ]
    );
    assert_eq!(said(&api, "next").await, "3", "in the same run");
    database.assert_invariants().await;
}

/// By its own bound, and by what is kept of the slots for handlers.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hoards_leases_leaves_slots_to_others() {
    for (leases_max, held) in [("2", 2), ("16", 3)] {
        let database = database().await;
        let builder = builder(&database)
            .environment("FLOWHOST_WORKER_SERVICE_LEASES_MAX", leases_max)
            .argument("--slots")
            .argument("4");
        let api = Api::start(builder, &["wayward", "echo"]).await;
        for _ in 0..held {
            let id = api.create(once("wayward", "keep")).await;
            api.until(&id, "active").await;
        }
        let one_more = api.create(once("wayward", "keep")).await;
        for _ in 0..5 {
            let echo = api.run(once("echo", "a slot is free")).await;
            assert_eq!(echo["public_state"], "completed", "{echo}");
        }
        let (_, one_more) = api.get(&format!("/v1/executions/{one_more}")).await;
        assert_eq!(one_more["public_state"], "waiting", "{one_more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_host_lets_services_finish_and_returns_their_other_leases() {
    let database = database().await;
    let grace = || {
        builder(&database)
            .environment("FLOWHOST_WORKER_DRAIN_GRACE_MS", "1000")
            .environment("FLOWHOST_WORKER_SERVICES_PER_COMPONENT", "2")
    };
    let mut api = Api::start(grace(), &["wayward"]).await;
    services(&api, 2.0).await;
    let finishing = api.create(once("wayward", "finish")).await;
    api.until(&finishing, "active").await;
    api.host.signal("TERM");
    assert_eq!(api.host.exit_code(), Some(0), "{}", api.host.log());

    let mut api = Api::start(grace(), &[]).await;
    let info = api.wait(&finishing).await;
    assert_eq!(text(&api, &info).await, "finished while draining");
    let waiting = api.create(once("wayward", "wait")).await;
    api.until(&waiting, "active").await;
    api.host.signal("TERM");
    assert_eq!(api.host.exit_code(), Some(0), "{}", api.host.log());

    let api = Api::start(builder(&database).argument("--slots").argument("0"), &[]).await;
    let (_, info) = api.get(&format!("/v1/executions/{waiting}")).await;
    assert_eq!(info["public_state"], "waiting", "{info}");
    let lease = &only_attempt(&api, &waiting).await["leases"][0];
    assert_eq!(lease["ended"], "released", "uncharged: {lease}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_a_killed_host_are_taken_over() {
    let database = database().await;
    let short = || builder(&database).argument("--lease-ttl").argument("1s");
    let mut api = Api::start(short(), &["wayward"]).await;
    let finishing = api.create(once("wayward", "finish")).await;
    api.until(&finishing, "active").await;
    api.host.kill();
    let mut api = Api::start(short(), &[]).await;
    eventually("another host has it", async || {
        let attempts = api.attempts(&finishing).await;
        (attempts.len() == 2).then_some(())
    })
    .await;
    api.host.signal("TERM");
    assert_eq!(api.host.exit_code(), Some(0), "{}", api.host.log());
    let api = Api::start(short(), &[]).await;
    assert_eq!(api.wait(&finishing).await["public_state"], "completed");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misuse_of_an_interface_is_answered_with_a_code() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward", "impostor"]).await;
    let info = api.run(once("impostor", "")).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let answer = text(&api, &info).await;
    assert!(
        answer.contains("Invalid") && answer.contains("a handler claims nothing"),
        "{answer}"
    );
    let answer = said(&api, "impatient").await;
    assert!(
        answer.contains("Invalid") && answer.contains("at most 60000"),
        "{answer}"
    );
    assert_eq!(said(&api, "describe").await, "Ok(State::Active)");
    let mut elsewhere = once("wayward", "keep");
    elsewhere["namespace"] = json!("elsewhere");
    let elsewhere = api.create(elsewhere).await;
    api.until(&elsewhere, "active").await;
    let answer = said(&api, "describe").await;
    assert!(answer.contains("several namespaces"), "{answer}");
    let info = api.run(once("wayward", "current")).await;
    assert_eq!(info["failure"]["code"], "guest_trap", "{info}");
    let message = info["failure"]["message"].as_str().expect("a message");
    assert!(message.contains("has no current lease"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_owns_its_kind_alone_and_stops_when_it_is_routed_away() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward", "echo"]).await;
    let (_, published) = api.publish(guest("wayward"), "wayward").await;
    let service = published["digest"].as_str().expect("a digest").to_owned();
    let (_, published) = api.publish(guest("echo"), "echo").await;
    let handler = published["digest"].as_str().expect("a digest").to_owned();
    let route = async |weight: u32| {
        let routes = json!({"routes": [
            {"digest": service, "weight": weight}, {"digest": handler, "weight": 1}]});
        api.ask(Method::PUT, "/v1/kinds/wayward/routes", Some(routes))
            .await
    };
    let (status, body) = route(1).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    assert_eq!(body["code"], "mixed_worlds", "{body}");
    assert_eq!(said(&api, "anything").await, "1", "nothing was changed");
    let (status, body) = route(0).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    services(&api, 0.0).await;
    assert_eq!(said(&api, "an echo").await, "an echo");
    assert_eq!(api.metric("flowhost_service_restarts_total").await, 0.0);
    api.publish(guest("wayward"), "wayward").await;
    services(&api, 1.0).await;
    assert_eq!(said(&api, "anything").await, "1", "a new life");
    database.assert_invariants().await;
}

/// With no other kind, so that nothing else makes the worker look again.
#[tokio::test(flavor = "multi_thread")]
async fn a_kind_moves_from_a_handler_to_a_service() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let (status, body) = api.publish(guest("echo"), "solo").await;
    assert!(status.is_success(), "{body}");
    let info = api.run(once("solo", "by the handler")).await;
    assert_eq!(text(&api, &info).await, "by the handler");
    let (status, body) = api.publish(guest("wayward"), "solo").await;
    assert!(status.is_success(), "{body}");
    services(&api, 1.0).await;
    for number in ["1", "2", "3"] {
        let info = api.run(once("solo", "by the service")).await;
        assert_eq!(text(&api, &info).await, number);
        let attempt = only_attempt(&api, info["id"].as_str().expect("an id")).await;
        assert_eq!(attempt["attempt_type"], "initial", "{attempt}");
    }
}
