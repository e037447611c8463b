//! A whole graph in one request, or nothing of it; and what is added to one.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{database, eventually};

use super::graphs::{created, fan_in, member, path};
use crate::support::api::{Api, builder, code, text, with};
use crate::support::http_work::{claim_one, complete, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_of_three_runs_to_completion() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = api.client.post(format!("{}/v1/flows", api.host.url()));
    let request = request.header("traceparent", trace).json(&fan_in("echo"));
    let response = request.send().await.expect("the host answers");
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = text(&json!(
        response.headers()["location"].to_str().expect("text")
    ));
    let flow: Value = response.json().await.expect("JSON");
    assert_eq!(location, path(&flow));
    assert_eq!(flow["created"], true);
    let counts = (
        &flow["node_count"],
        &flow["edge_count"],
        &flow["graph_revision"],
    );
    assert_eq!(counts, (&json!(3), &json!(2), &json!(5)));
    assert_eq!(flow["members"][2]["name"], "join");
    assert_eq!(flow["members"][2]["state"], "waiting_children");
    assert_eq!(flow["edge_ids"].as_array().expect("ids").len(), 2);
    let join = api.wait(&member(&flow, 2)).await;
    assert_eq!(join["public_state"], "completed");
    assert_eq!(join["flow_id"], flow["flow_id"]);
    for at in [0, 1] {
        let before = api.wait(&member(&flow, at)).await;
        let times = (text(&before["finished_at"]), text(&join["started_at"]));
        assert!(times.0 <= times.1, "{times:?}");
    }
    let shown = eventually("the flow takes note of all ends", async || {
        let (_, shown) = api.get(&path(&flow)).await;
        (shown["status"] == "completed").then_some(shown)
    })
    .await;
    assert_eq!(shown["public_flow_state"], "completed");
    assert_eq!(shown["counters"]["completed"], 3);
    assert_eq!(shown["kind"], "report");
    assert!(shown["ended_at"].is_string(), "{shown}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_makes_nothing_and_another_request_with_its_key_is_refused() {
    let (database, api) = start().await;
    let body = with(fan_in("word"), json!({"idempotency_key": "nightly"}));
    let first = created(&api, body.clone()).await;
    let (status, again) = api.post("/v1/flows", body.clone()).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    assert_eq!(again["created"], false);
    assert_eq!(again["flow_id"], first["flow_id"]);
    assert_eq!(again["edge_ids"], json!([]));
    let ids = |of: &Value| -> Vec<String> { (0..3).map(|at| member(of, at)).collect() };
    assert_eq!(ids(&again), ids(&first));
    let other = with(body, json!({"kind": "other"}));
    let refused = api.post("/v1/flows", other).await;
    assert_eq!(code(&refused), (409, "idempotency_conflict"));
    assert_eq!(refused.1["existing"], first["flow_id"]);
    // The header names the key as well.
    let request = api.client.post(format!("{}/v1/flows", api.host.url()));
    let request = request
        .header("idempotency-key", "nightly")
        .json(&fan_in("word"));
    let response = request.send().await.expect("the host answers");
    assert_eq!(response.status(), StatusCode::OK);
    let (_, listed) = api.get("/v1/flows").await;
    assert_eq!(listed["flows"].as_array().expect("a list").len(), 1);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_answers_and_makes_nothing() {
    let (_database, api) = start().await;
    let (status, said) = api.post("/v1/flows?dry_run=true", fan_in("word")).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    assert_eq!(said["node_count"], 3);
    let missing = api.get(&path(&said)).await;
    assert_eq!(code(&missing), (404, "flow_not_found"));
    let flow = created(&api, fan_in("word")).await;
    let grow = json!({"members": [{"name": "more", "kind": "word"}]});
    let dry = format!("{}/members?dry_run=true", path(&flow));
    let (status, said) = api.post(&dry, grow).await;
    assert_eq!((status, &said["node_count"]), (StatusCode::OK, &json!(4)));
    let dry = format!("{}/cancel?dry_run=true&wait_ms=1000", path(&flow));
    let (status, said) = api.post(&dry, json!({})).await;
    assert_eq!(
        (status, &said["status"]),
        (StatusCode::OK, &json!("cancelled")),
        "{said}"
    );
    let dry = format!("{}/tags?dry_run=true", path(&flow));
    let (status, said) = api
        .ask(Method::PATCH, &dry, Some(json!({"tags": {"a.b": "c"}})))
        .await;
    assert_eq!((status, &said["count"]), (StatusCode::OK, &json!(1)));
    let (_, shown) = api.get(&path(&flow)).await;
    let left = (&shown["node_count"], &shown["status"], &shown["tags"]);
    assert_eq!(left, (&json!(3), &json!("active"), &json!({})));
    assert_eq!(shown["counters"]["waiting"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_grows_by_members_executions_edges_and_groups_in_one_step() {
    let (database, api) = start().await;
    let flow = created(&api, fan_in("word")).await;
    let grow = json!({
        "expected_graph_revision": 5,
        "members": [{"name": "first-of", "kind": "word"}],
        "edges": [
            {"upstream": "left", "downstream": "first-of", "dependency_kind": "on_failure"},
            {"upstream": member(&flow, 1), "downstream": "first-of", "dependency_kind": "always"},
        ],
        "groups": [{
            "downstream": "first-of",
            "policy": {"kind": "any_of", "on_satisfied": "let_run"},
        }],
    });
    let members = format!("{}/members", path(&flow));
    let (status, grown) = api.post(&members, grow.clone()).await;
    assert_eq!(status, StatusCode::OK, "{grown}");
    assert_eq!(
        (&grown["created"], &grown["graph_revision"]),
        (&json!(true), &json!(8))
    );
    assert_eq!(grown["edge_ids"].as_array().expect("ids").len(), 2);
    let stale = api.post(&members, grow).await;
    assert_eq!(code(&stale), (409, "stale_graph_revision"));
    assert_eq!(stale.1["graph_revision"], 8);
    // An execution on the partition of the flow, made for it.
    let id = text(&flow["flow_id"]);
    let tail = &text(&json!(uuid::Uuid::now_v7().to_string()))[19..];
    let mine = format!("{}{tail}", &id[..19]);
    let mine = api.create(json!({"kind": "word", "id": mine})).await;
    let (status, added) = api.post(&members, json!({"added": [mine]})).await;
    assert_eq!(
        (status, &added["node_count"]),
        (StatusCode::OK, &json!(5)),
        "{added}"
    );
    let (_, of) = api.get(&format!("/v1/executions/{mine}/flow")).await;
    assert_eq!(of, json!({"flow_id": id, "eligibility": "eligible"}));
    // One of both ends, and any end is enough.
    let first_of = text(&grown["members"][0]["execution_id"]);
    while api.get(&format!("/v1/executions/{first_of}")).await.1["public_state"]
        == "waiting_children"
    {
        let claimed = claim_one(&api, "w-1").await;
        complete(&api, &text(&claimed["lease"])).await;
    }
    database.assert_invariants().await;
}
