//! What is read of flows: states, members with their groups, edges, pages and filters.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::graphs::{created, fan_in, member, path};
use crate::support::api::{code, text, with};
use crate::support::http_work::{claim_one, complete, start};

#[tokio::test(flavor = "multi_thread")]
async fn members_are_shown_with_their_groups_and_edges_in_both_directions() {
    let (_database, api) = start().await;
    let flow = created(&api, fan_in("word")).await;
    let (status, shown) = api.get(&format!("{}/members", path(&flow))).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    let rows = shown["members"].as_array().expect("a list");
    let names: Vec<_> = rows.iter().map(|row| text(&row["name"])).collect();
    assert_eq!(names, ["left", "right", "join"]);
    assert_eq!(rows[0]["edge_group"], Value::Null);
    assert_eq!(
        rows[2]["edge_group"],
        json!({
            "policy": {"kind": "all_of"}, "total_deps": 2, "satisfied_count": 0,
            "failed_count": 0, "skipped_count": 0, "running_count": 2, "group_state": "pending",
        })
    );
    assert_eq!(rows[2]["execution"]["id"], json!(member(&flow, 2)));
    assert_eq!(rows[2]["execution"]["public_state"], "waiting_children");
    let edges = format!("{}/edges", path(&flow));
    let (_, all) = api.get(&edges).await;
    assert_eq!(all["edges"].as_array().expect("a list").len(), 2);
    let (_, incoming) = api
        .get(&format!("{edges}?downstream={}", member(&flow, 2)))
        .await;
    let ids = |of: &Value| -> Vec<Value> {
        let rows = of["edges"].as_array().expect("a list").iter();
        rows.map(|row| row["edge_id"].clone()).collect()
    };
    assert_eq!(json!(ids(&incoming)), flow["edge_ids"]);
    let (_, outgoing) = api
        .get(&format!("{edges}?upstream={}", member(&flow, 1)))
        .await;
    assert_eq!(ids(&outgoing), [flow["edge_ids"][1].clone()]);
    let edge = text(&flow["edge_ids"][1]);
    let (status, edge) = api.get(&format!("{edges}/{edge}")).await;
    assert_eq!(status, StatusCode::OK, "{edge}");
    assert_eq!(edge, outgoing["edges"][0]);
    assert_eq!(edge["flow_id"], flow["flow_id"]);
    assert_eq!(edge["downstream_execution_id"], json!(member(&flow, 2)));
    assert_eq!(edge["dependency_kind"], "success_only");
    assert_eq!(edge["satisfaction_condition"], "all_required");
    assert_eq!(edge["data_passing_ref"], "right");
    assert_eq!(edge["edge_state"], "pending");
    let of = async |at| {
        let (_, of) = api
            .get(&format!("/v1/executions/{}/flow", member(&flow, at)))
            .await;
        assert_eq!(of["flow_id"], flow["flow_id"]);
        text(&of["eligibility"])
    };
    assert_eq!(of(2).await, "blocked_by_dependencies");
    assert_eq!(of(0).await, "eligible");
    for _ in 0..2 {
        let claimed = claim_one(&api, "w-1").await;
        complete(&api, &text(&claimed["lease"])).await;
    }
    api.until(&member(&flow, 2), "waiting").await;
    assert_eq!(of(2).await, "eligible");
    assert_eq!(of(0).await, "terminal");
    let alone = api.create(json!({"kind": "word"})).await;
    let (_, of) = api.get(&format!("/v1/executions/{alone}/flow")).await;
    assert_eq!(of, json!({"flow_id": null, "eligibility": "not_found"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_flows_are_filtered_and_edges_of_one_member_have_pages_of_their_own() {
    let (_database, api) = start().await;
    let first = created(
        &api,
        with(fan_in("word"), json!({"tags": {"app.night": "1"}})),
    )
    .await;
    let second = created(&api, with(fan_in("word"), json!({"kind": "other"}))).await;
    let third = created(&api, json!({"kind": "empty", "namespace": "acme"})).await;
    let listed = async |query: &str| -> Vec<Value> {
        let (status, page) = api.get(&format!("/v1/flows?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let rows = page["flows"].as_array().expect("a list").iter();
        rows.map(|row| row["flow_id"].clone()).collect()
    };
    let id = |flow: &Value| flow["flow_id"].clone();
    assert_eq!(listed("").await, [id(&third), id(&second), id(&first)]);
    assert_eq!(listed("kind=other").await, [id(&second)]);
    assert_eq!(listed("namespace=acme").await, [id(&third)]);
    assert_eq!(listed("tag=app.night:1").await, [id(&first)]);
    assert_eq!(
        listed("status=active&namespace=default").await,
        [id(&second), id(&first)]
    );
    let (status, _) = api
        .post(&format!("{}/cancel", path(&second)), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(listed("status=cancelled").await, [id(&second)]);
    let (_, page) = api.get("/v1/flows?kind=report").await;
    let row = &page["flows"][0];
    assert_eq!(
        (&row["node_count"], &row["ended_count"]),
        (&json!(3), &json!(0))
    );
    for (query, expected) in [
        ("status=done", "invalid_query"),
        ("kind=No", "invalid_input"),
        ("tag=Bad:1", "invalid_tag_key"),
        ("tag=a.b:1&tag=a.c:1", "invalid_input"),
        ("state=active", "invalid_query"),
    ] {
        let refused = api.get(&format!("/v1/flows?{query}")).await;
        assert_eq!(code(&refused).1, expected, "{query}");
    }
    // A cursor of all edges is not one of those of a member.
    let edges = format!("{}/edges", path(&first));
    let of = format!("downstream={}", member(&first, 2));
    let (_, page) = api.get(&format!("{edges}?{of}&limit=1")).await;
    let cursor = text(&page["next_cursor"]);
    let (_, next) = api
        .get(&format!("{edges}?{of}&limit=1&after={cursor}"))
        .await;
    assert_eq!(next["edges"][0]["edge_id"], first["edge_ids"][1]);
    assert_eq!(next["next_cursor"], Value::Null);
    let refused = api.get(&format!("{edges}?limit=1&after={cursor}")).await;
    assert_eq!(code(&refused), (400, "invalid_cursor"));
    let both = format!("{edges}?{of}&upstream={}", member(&first, 0));
    assert_eq!(code(&api.get(&both).await), (422, "invalid_input"));
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_a_flow_are_set_and_removed() {
    let (_database, api) = start().await;
    let flow = created(
        &api,
        with(
            fan_in("word"),
            json!({"tags": {"app.a": "1", "app.b": "2"}}),
        ),
    )
    .await;
    let tags = format!("{}/tags", path(&flow));
    let set = async |body: Value| {
        api.ask(Method::PATCH, &tags, Some(json!({"tags": body})))
            .await
    };
    let (status, answer) = set(json!({"app.a": null, "app.c": "3"})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        answer,
        json!({"count": 2, "tags": {"app.b": "2", "app.c": "3"}})
    );
    assert_eq!(
        code(&set(json!({"Bad": "x"})).await),
        (422, "invalid_tag_key")
    );
}
