//! Signals and what operators do to executions that wait, over HTTP.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::api::{code, text};
use crate::support::http_waiting::{ask, held, named, of, suspend, waiting};
use crate::support::http_work::{claim_one, complete, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_approval_of_one_person_counts_once() {
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
    let unknown = "00000000-0000-7000-8000-000000000000";
    let signal = || json!({"signal_name": "x"});
    for (verb, body) in [
        ("operator-signal", signal()),
        ("approve", json!({})),
        ("reject", json!({})),
        ("resume", json!({})),
        ("waitpoints/a/close", json!({})),
        ("waitpoints/a/token", json!({})),
    ] {
        let refused = ask(&api, unknown, verb, body.clone()).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{verb}");
        let refused = ask(&api, "no-id", verb, body).await;
        assert_eq!(code(&refused), (400, "invalid_id"), "{verb}");
    }
    for what in ["waitpoints", "suspensions", "signals"] {
        let refused = api.get(&format!("/v1/executions/{unknown}/{what}")).await;
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
            "expires_in_ms",
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
        let wanted = match field {
            "waitpoint" => (422, "invalid_waitpoint_key"),
            "payload" if body["payload"].is_null() => (413, "payload_too_large"),
            _ => (422, "invalid_input"),
        };
        assert_eq!(code(&refused), wanted, "{verb} {body} {refused:?}");
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
