//! What hangs below an execution, and what there is of components, keys and grants: one
//! row that this version cannot show is told of, and hides none of the others.

use model::EventFamily;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answered, guest};

use crate::support::api::{Api, flowhost, once, text};
use crate::support::http_work::{claim_one, start, word};
use crate::support::lists::events;
use crate::support::server::rows::{pages, run};
use crate::support::waiting::running;
use crate::support::work::{create, setup};

/// Reads the first page of a list; returns the ids that are shown, and those that are
/// told of with the column that is wrong.
async fn list(api: &Api, path: &str, rows: &str, id: &str) -> (Vec<Value>, Vec<(String, String)>) {
    let (status, body) = api.get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    let shown = body[rows].as_array().expect("a list");
    let shown = shown.iter().map(|row| row[id].clone()).collect();
    (shown, told(&body))
}

fn told(body: &Value) -> Vec<(String, String)> {
    let rows = body["unreadable"].as_array().cloned().unwrap_or_default();
    let column = |row: &Value| {
        let detail = text(&row["detail"]);
        let (column, _) = detail.split_once(' ').expect("names it");
        (text(&row["id"]), column.to_owned())
    };
    rows.iter().map(column).collect()
}

fn named(id: &str, column: &str) -> Vec<(String, String)> {
    vec![(id.to_owned(), column.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_attempt_or_operation_hides_no_other() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let path = format!("/v1/executions/{id}");
    for _ in 0..3 {
        claim_one(&api, "w-1").await;
        let (status, body) = api.post(&format!("{path}/revoke-lease"), json!({})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    let (shown, hidden) = list(&api, &format!("{path}/attempts"), "attempts", "attempt").await;
    assert_eq!((shown.len(), hidden.len()), (3, 0));
    let (whole, _) = list(&api, &format!("{path}/history"), "history", "what").await;

    let later = "ALTER TYPE attempt_end ADD VALUE 'of_a_later_version'";
    run(&database, later.into()).await;
    let broken = "UPDATE attempt SET ended = 'of_a_later_version' WHERE attempt = 1";
    run(&database, broken.into()).await;
    let broken = "UPDATE operation SET at = 'infinity'
                  WHERE seq = (SELECT min(seq) FROM operation)";
    run(&database, broken.into()).await;

    let (shown, hidden) = list(&api, &format!("{path}/attempts"), "attempts", "attempt").await;
    assert_eq!(shown, [json!(0), json!(2)]);
    assert_eq!(hidden, named("1", "attempt.ended"));
    let (shown, hidden) = list(&api, &format!("{path}/operations"), "operations", "verb").await;
    assert_eq!(shown.len(), 2);
    assert_eq!(hidden.len(), 1);
    assert_eq!(hidden[0].1, "operation.at");
    let (shown, hidden) = list(&api, &format!("{path}/history"), "history", "what").await;
    let columns: Vec<_> = hidden.iter().map(|(_, column)| column.as_str()).collect();
    assert_eq!(columns, ["operation.at", "attempt.ended"]);
    // Two entries of the attempt, and one of the operation.
    assert_eq!(shown.len(), whole.len() - 3, "{shown:?}");

    let (exit, out, complaints) = flowhost(&api, &["show", &id]).await;
    assert_eq!(exit, 0, "{complaints}");
    assert!(
        out.contains("attempt 2") && !out.contains("attempt 1"),
        "{out}"
    );
    for part in [
        "attempt 1 cannot be shown: attempt.ended",
        "cannot be shown: operation.at",
    ] {
        assert!(complaints.contains(part), "{complaints}");
    }
    let (_, out, _) = flowhost(&api, &["--json", "show", &id]).await;
    let merged: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told(&merged).len(), 2, "{merged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readable_waits_are_listed_beside_unreadable_ones() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let path = format!("/v1/executions/{id}");
    let mut suspensions = Vec::new();
    for round in 0..3 {
        let lease = claim_one(&api, "w-1").await["lease"].clone();
        let request = json!({"lease": lease, "timeout_ms": 3_600_000, "resume_condition":
            {"Single": {"waitpoint_key": format!("k{round}"), "matcher": "Wildcard"}}});
        let (status, suspended) = api.post("/v1/leases/suspend", request).await;
        assert_eq!(status, StatusCode::OK, "{suspended}");
        suspensions.push(text(&suspended["suspension_id"]));
        if round < 2 {
            let go = json!({"waitpoint": format!("k{round}"), "signal_name": "go"});
            let (status, body) = api.post(&format!("{path}/operator-signal"), go).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        }
    }
    let (signals, _) = list(&api, &format!("{path}/signals"), "signals", "signal_id").await;
    let (waitpoints, _) = list(
        &api,
        &format!("{path}/waitpoints"),
        "waitpoints",
        "waitpoint_id",
    )
    .await;
    assert_eq!((signals.len(), waitpoints.len()), (2, 3));
    for broken in [
        // A later version allows more words than this one knows.
        "ALTER TABLE suspension DROP CONSTRAINT suspension_reason_is_known".to_owned(),
        "ALTER TABLE waitpoint DROP CONSTRAINT waitpoint_close_reason_is_known".to_owned(),
        "ALTER TABLE signal DROP CONSTRAINT signal_effect_is_known".to_owned(),
        format!(
            "UPDATE suspension SET condition = '{{\"Later\": 1}}' WHERE id = '{}'",
            suspensions[0]
        ),
        format!(
            "UPDATE waitpoint SET close_reason = 'later' WHERE id = '{}'",
            text(&waitpoints[1])
        ),
        format!(
            "UPDATE signal SET effect = 'later' WHERE id = '{}'",
            text(&signals[0])
        ),
    ] {
        run(&database, broken).await;
    }
    let (shown, hidden) = list(
        &api,
        &format!("{path}/suspensions"),
        "suspensions",
        "suspension_id",
    )
    .await;
    assert_eq!(shown, [json!(suspensions[1]), json!(suspensions[2])]);
    assert_eq!(hidden, named(&suspensions[0], "suspension.condition"));
    let (shown, hidden) = list(
        &api,
        &format!("{path}/waitpoints"),
        "waitpoints",
        "waitpoint_id",
    )
    .await;
    assert_eq!(shown, [waitpoints[0].clone(), waitpoints[2].clone()]);
    assert_eq!(
        hidden,
        named(&text(&waitpoints[1]), "waitpoint.close_reason")
    );
    let (shown, hidden) = list(&api, &format!("{path}/signals"), "signals", "signal_id").await;
    assert_eq!(shown, signals[1..]);
    assert_eq!(hidden, named(&text(&signals[0]), "signal.effect"));
    // A page of the one that cannot be shown has another after it.
    let (_, page) = api.get(&format!("{path}/signals?limit=1")).await;
    assert_eq!(
        (page["signals"].as_array().map(Vec::len), told(&page).len()),
        (Some(0), 1)
    );
    let next = text(&page["next_cursor"]);
    let (_, page) = api
        .get(&format!("{path}/signals?limit=1&after={next}"))
        .await;
    assert_eq!(page["signals"][0]["signal_id"], signals[1]);

    // The execution is shown too, beside the suspension that lasts.
    let broken = format!(
        "UPDATE suspension SET reason = 'later' WHERE id = '{}'",
        suspensions[2]
    );
    run(&database, broken).await;
    let (status, info) = api.get(&path).await;
    assert_eq!(
        (status, &info["public_state"]),
        (StatusCode::OK, &json!("suspended")),
        "{info}"
    );
    assert_eq!(told(&info), named(&suspensions[2], "suspension.reason"));
    let (exit, _, complaints) = flowhost(&api, &["show", &id]).await;
    assert_eq!(exit, 0, "{complaints}");
    for part in [
        format!("suspension {} cannot be shown", suspensions[0]),
        format!("waitpoint {} cannot be shown", text(&waitpoints[1])),
        format!("signal {} cannot be shown", text(&signals[0])),
    ] {
        assert!(complaints.contains(&part), "{complaints}");
    }
    let (exit, _, complaints) = flowhost(&api, &["waitpoints", &id]).await;
    assert_eq!(exit, 0, "{complaints}");
    assert!(
        complaints.contains("cannot be shown: waitpoint.close_reason"),
        "{complaints}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_waitpoint_key_hides_no_other() {
    let (database, api) = start().await;
    for kid in ["k1", "k2", "k3"] {
        let (status, body) = api
            .post("/v1/waitpoint-keys/rotate", json!({"new_kid": kid}))
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    let broken = "UPDATE waitpoint_key SET not_after = 'infinity' WHERE kid = 'k1'";
    run(&database, broken.into()).await;
    let (shown, hidden) = list(&api, "/v1/waitpoint-keys", "keys", "kid").await;
    assert!(
        shown.contains(&json!("k2")) && shown.contains(&json!("k3")),
        "{shown:?}"
    );
    assert!(!shown.contains(&json!("k1")), "{shown:?}");
    assert_eq!(hidden, named("k1", "waitpoint_key.not_after"));
    let (exit, out, complaints) = flowhost(&api, &["waitpoint-key", "list"]).await;
    assert_eq!(exit, 0, "{complaints}");
    assert!(out.contains("k3"), "{out}");
    assert!(
        complaints.contains("k1 cannot be shown: waitpoint_key.not_after"),
        "{complaints}"
    );
}

// One such row made the worker keep the routes it had, for all kinds and for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_kind_hides_no_other_and_the_others_are_followed() {
    let (database, api) = start().await;
    for broken in [
        "ALTER TABLE component DROP CONSTRAINT component_digest_is_sha256",
        "INSERT INTO component (digest, bytes, world, imports) VALUES ('later', '', 'handler', '{}')",
        "INSERT INTO kind (name) VALUES ('odd')",
        "INSERT INTO route (kind, component_id, weight)
         SELECT 'odd', id, 1 FROM component WHERE digest = 'later'",
    ] {
        run(&database, broken.into()).await;
    }
    let (shown, hidden) = list(&api, "/v1/components", "components", "world").await;
    assert_eq!((shown.len(), hidden.len()), (1, 1));
    assert_eq!(hidden[0].1, "component.digest");
    let (shown, hidden) = list(&api, "/v1/kinds", "kinds", "name").await;
    assert!(
        shown.contains(&json!("echo")) && shown.contains(&json!("word")),
        "{shown:?}"
    );
    assert_eq!(hidden, named("odd", "route.component_id"));
    let (exit, out, complaints) = flowhost(&api, &["component", "list"]).await;
    assert_eq!(exit, 0, "{complaints}");
    assert!(out.contains("echo"), "{out}");
    assert!(
        complaints.contains("kind odd cannot be shown: route.component_id"),
        "{complaints}"
    );

    let (status, body) = api.publish(guest("echo"), "fresh").await;
    assert!(status.is_success(), "{body}");
    for kind in ["echo", "fresh"] {
        let info = api.run(once(kind, "still served")).await;
        assert_eq!(info["public_state"], "completed", "{kind}: {info}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eligible_executions_are_listed_beside_unreadable_ones() {
    let (database, api) = start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(api.create(word("x")).await);
    }
    let broken = format!(
        "UPDATE ready SET ready_at = '-infinity' WHERE execution_id = '{}'",
        ids[1]
    );
    run(&database, broken).await;
    let (shown, hidden) = list(&api, "/v1/lanes/default/eligible", "executions", "id").await;
    assert_eq!(shown, [json!(ids[0]), json!(ids[2])]);
    assert_eq!(hidden, named(&ids[1], "ready.ready_at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_expired_lease_hides_no_other_on_any_page() {
    let (database, engine) = setup().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(running(&engine).await.fence.execution_id);
    }
    ids.sort();
    for (id, at) in ids
        .iter()
        .zip(["-infinity", "-infinity", "0002-12-31 BC", "2001-01-01"])
    {
        let lapsed = format!("UPDATE lease SET expires_at = '{at}' WHERE execution_id = '{id}'");
        run(&database, lapsed).await;
    }
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let page = engine
            .list_expired_leases(None, after, 1)
            .await
            .expect("listed");
        after = page.next().copied();
        shown.extend(page.rows.into_iter().map(|lease| lease.execution_id));
        hidden.extend(page.unreadable.into_iter().map(|row| row.id));
        if after.is_none() {
            break;
        }
    }
    assert_eq!(shown, ids[3..]);
    let broken: Vec<String> = ids[..3].iter().map(ToString::to_string).collect();
    assert_eq!(hidden, broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_later_version_does_not_stop_a_reader() {
    let (database, engine) = setup().await;
    for _ in 0..3 {
        engine.create(create("x")).await.accepted();
    }
    let later = "ALTER TYPE event_kind ADD VALUE 'of_a_later_version'";
    run(&database, later.into()).await;
    let broken = "UPDATE event SET kinds = ARRAY['of_a_later_version']::event_kind[]
                  WHERE seq = (SELECT min(seq) FROM event)";
    run(&database, broken.into()).await;
    database.events_are_readable().await;
    let told = events::all(&engine, &events::of(EventFamily::Lifecycle)).await;
    let names: Vec<_> = told.iter().map(|event| event.fact.name()).collect();
    assert_eq!(names, ["of_a_later_version", "created", "created"]);
    let ends = events::all(&engine, &events::of(EventFamily::Completion)).await;
    assert_eq!(ends, [], "nothing tells that it is of another family");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_readable_rows_have_no_list_of_unreadable_ones() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let (shown, hidden) = pages(&api, "/v1/executions", "executions", "id").await;
    assert_eq!((shown, hidden.len()), (vec![id.clone()], 0));
    for path in [
        format!("/v1/executions/{id}"),
        format!("/v1/executions/{id}/attempts"),
        format!("/v1/executions/{id}/history"),
        format!("/v1/executions/{id}/operations"),
        format!("/v1/executions/{id}/suspensions"),
        format!("/v1/executions/{id}/signals"),
        format!("/v1/executions/{id}/waitpoints"),
        "/v1/waitpoint-keys".to_owned(),
        "/v1/components".to_owned(),
        "/v1/kinds".to_owned(),
        "/v1/lanes/default/eligible".to_owned(),
        "/v1/leases/expired".to_owned(),
    ] {
        let answer = api.get(&path).await;
        assert_eq!(answer.0, StatusCode::OK, "{path}: {}", answer.1);
        assert_eq!(answer.1.get("unreadable"), None, "{path}: {}", answer.1);
    }
}
