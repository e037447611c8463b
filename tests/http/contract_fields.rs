//! What FlowFabric's answers hold and programs rely on: ids of attempts, heartbeats, the
//! names of awaited signals, counts.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::api::{code, flowhost, text};
use crate::support::http_waiting::{ask, held, named, of, suspend};
use crate::support::http_work::{claim_one, start, word};

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_has_one_id_wherever_it_is_shown() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let path = format!("/v1/executions/{id}");
    let (_, info) = api.get(&path).await;
    assert_eq!(info["current_attempt"], Value::Null, "{info}");
    let claimed = claim_one(&api, "w-1").await;
    let first = text(&claimed["attempt_id"]);
    // Of version 8 where that of the execution is of version 7.
    let (before, after) = (&id[..14], &id[15..]);
    assert_eq!(first, format!("{before}8{after}"), "{claimed}");
    let (_, info) = api.get(&path).await;
    let current = json!({"attempt_id": first, "attempt_index": 0});
    assert_eq!(info["current_attempt"], current, "{info}");
    let fail = json!({"lease": claimed["lease"], "code": "busy"});
    let (status, failed) = api.post("/v1/leases/fail", fail).await;
    assert_eq!(
        (status, &failed["next_attempt_index"]),
        (StatusCode::OK, &json!(1))
    );
    database.advance(Duration::from_secs(61)).await;
    let second = claim_one(&api, "w-1").await;
    assert_ne!(second["attempt_id"], claimed["attempt_id"]);
    let attempts = api.attempts(&id).await;
    for (attempt, claimed) in attempts.iter().zip([&claimed, &second]) {
        assert_eq!(attempt["attempt_id"], claimed["attempt_id"]);
    }
    let (exit, out, complaint) = flowhost(&api, &["show", &id]).await;
    assert_eq!(exit, 0, "{complaint}");
    assert!(out.contains(&first), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_shows_its_last_heartbeat() {
    let (database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let path = format!("/v1/executions/{id}");
    let (_, info) = api.get(&path).await;
    let before = &info["current_lease"];
    assert_eq!(before["last_heartbeat_at"], Value::Null, "{before}");
    let renew = json!({"lease": lease, "lease_ttl_ms": 5000});
    let (_, renewed) = api.post("/v1/leases/renew", renew).await;
    let (_, info) = api.get(&path).await;
    let after = &info["current_lease"];
    let at = |value: &Value| text(value).parse::<model::Moment>().expect("a time").utc();
    let beat = at(&after["last_heartbeat_at"]);
    let lasts = at(&renewed["lease_expires_at"]) - beat;
    assert!((lasts.whole_milliseconds() - 5000).abs() < 100, "{after}");
    assert!(beat >= at(&before["acquired_at"]), "{after}");
    let (_, out, _) = flowhost(&api, &["show", &id]).await;
    assert!(out.contains("last heartbeat 2"), "{out}");
    database.advance(Duration::from_secs(6)).await;
    // No sweep runs between: a lease that was lost is taken back within a second.
    let (_, page) = api.get("/v1/leases/expired").await;
    if let Some(expired) = page["leases"].get(0) {
        assert_eq!(
            expired["lease"]["last_heartbeat_at"],
            after["last_heartbeat_at"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waitpoint_names_the_signals_it_waits_for() {
    let (_database, api) = start().await;
    for (condition, names) in [
        (named("a", "approved"), json!(["approved"])),
        (
            json!({"Single": {"waitpoint_key": "a", "matcher": "Wildcard"}}),
            json!([]),
        ),
        (
            json!({"Composite": {"kind": "AllOf", "members": [
                named("a", "paid"), named("a", "approved"), named("b", "sent"),
            ]}}),
            json!(["approved", "paid"]),
        ),
        (
            json!({"Composite": {"kind": "Count", "n": 1, "count_kind": "DistinctSignals",
                "matcher": {"ByName": "x"}, "waitpoints": ["a"]}}),
            json!(["x"]),
        ),
    ] {
        let (id, lease) = held(&api, json!({})).await;
        let make = json!({"lease": lease, "waitpoint_key": "later"});
        let (status, _) = api.post("/v1/leases/waitpoints", make).await;
        assert_eq!(status, StatusCode::CREATED);
        suspend(&api, &lease, condition.clone(), json!({})).await;
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        for waitpoints in [
            info["suspension"]["waitpoints"].as_array().expect("a list"),
            &of(&api, &id, "waitpoints").await,
        ] {
            for waitpoint in waitpoints {
                let wanted = match waitpoint["waitpoint_key"].as_str() {
                    Some("a") => &names,
                    Some("b") => &json!(["sent"]),
                    _ => &json!([]),
                };
                assert_eq!(waitpoint["required_signal_names"], *wanted, "{condition}");
            }
        }
        ask(&api, &id, "resume", json!({})).await;
        let closed = of(&api, &id, "waitpoints").await;
        assert!(
            closed
                .iter()
                .all(|it| it["required_signal_names"] == json!([])),
            "{closed:?}"
        );
        ask(&api, &id, "cancel", json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_operators_say_what_was_done() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let path = format!("/v1/executions/{id}/tags");
    let tags = json!({"tags": {"app.a": "1", "app.b": "2", "app.c": null}});
    let (status, answer) = api.ask(Method::PATCH, &path, Some(tags)).await;
    let wanted = json!({"count": 3, "tags": {"app.a": "1", "app.b": "2"}});
    assert_eq!((status, answer), (StatusCode::OK, wanted));
    let (_, answer) = ask(&api, &id, "cancel", json!({})).await;
    let wanted = json!({
        "id": id, "public_state": "cancelled", "was_active": false, "already": false,
    });
    assert_eq!(answer, wanted);

    for (reason, kept) in [
        (None, "expired"),
        (Some("attempt_timeout"), "attempt_timeout"),
        (Some("execution_deadline"), "execution_deadline"),
    ] {
        let id = api.create(word("late")).await;
        let body = reason.map_or(json!({}), |reason| json!({"expire_reason": reason}));
        for _ in 0..2 {
            let (status, info) = ask(&api, &id, "expire", body.clone()).await;
            assert_eq!(status, StatusCode::OK, "{info}");
            assert_eq!(
                (
                    &info["public_state"],
                    &info["failure"]["code"],
                    &info["failure"]["class"]
                ),
                (&json!("expired"), &json!(kept), &json!("timeout"))
            );
        }
    }
    let id = api.create(word("late")).await;
    let refused = ask(&api, &id, "expire", json!({"expire_reason": "boredom"})).await;
    assert_eq!(code(&refused), (422, "invalid_input"));
    assert_eq!(refused.1["field"], "expire_reason");
    let by_hand = ["expire", &id, "--expire-reason", "attempt_timeout"];
    let (exit, out, complaint) = flowhost(&api, &by_hand).await;
    assert_eq!(exit, 0, "{out}{complaint}");
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["failure"]["code"], "attempt_timeout", "{info}");
    database.assert_invariants().await;
}
