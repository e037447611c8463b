//! Children over HTTP: a native worker starts some, waits for them and reads their results.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::eventually;

use super::graphs::{created, fan_in, member};
use crate::support::api::{Api, code, text};
use crate::support::http_work::{claim_one, complete, start, word};

async fn asked(api: &Api, verb: &str, body: Value) -> Value {
    let (status, answer) = api.post(&format!("/v1/leases/{verb}"), body).await;
    assert_eq!(status, StatusCode::OK, "{verb}: {answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_starts_children_waits_for_one_and_reads_its_result() {
    let (database, api) = start().await;
    let id = api.create(word("parent")).await;
    let claimed = claim_one(&api, "w-1").await;
    let lease = text(&claimed["lease"]);
    let started = asked(
        &api,
        "children",
        json!({"lease": lease, "members": [
            {"name": "a", "kind": "word", "input": 1},
            {"name": "b", "kind": "word", "input": 2},
        ]}),
    )
    .await;
    assert_eq!(started["node_count"], 3, "the parent is a member");
    let waits = json!({"lease": lease, "children": ["a", "b"], "policy": {"kind": "any_of"}});
    let waiting = asked(&api, "wait-children", waits).await;
    assert_eq!(waiting["outcome"], "waiting_children");
    let child = claim_one(&api, "w-1").await;
    let done = json!({"lease": child["lease"], "result_text": "from a child"});
    asked(&api, "complete", done).await;
    let resumed = eventually("the parent resumes", async || {
        let claim = json!({"kinds": ["word"], "max": 10});
        let (_, work) = api.post("/v1/workers/w-1/claim", claim).await;
        let executions = work["executions"].as_array().expect("a list").clone();
        executions.into_iter().find(|it| it["id"] == id.as_str())
    })
    .await;
    let lease = text(&resumed["lease"]);
    let given = asked(&api, "results", json!({"lease": lease})).await;
    let children = given["children"].as_array().expect("children");
    let first = children
        .iter()
        .find(|it| it["outcome"] == "success")
        .expect("one has ended");
    assert_eq!(first["result_bytes"], 12);
    let read = json!({"lease": lease, "execution_id": first["execution_id"]});
    let (status, result) = api.post("/v1/leases/result", read).await;
    assert_eq!((status, result), (StatusCode::OK, json!("from a child")));
    let (_, shown) = api.get(&format!("/v1/executions/{id}/children")).await;
    assert_eq!(shown["children"].as_array().map(Vec::len), Some(2));
    // What is none of its own is not read under its lease.
    let other = api.create(word("other")).await;
    let read = json!({"lease": lease, "execution_id": other});
    let answer = api.post("/v1/leases/result", read).await;
    assert_eq!(code(&answer), (404, "execution_not_in_flow"));
    let rest =
        json!({"lease": lease, "children": ["a", "b"], "policy": {"kind": "quorum", "k": 3}});
    let answer = api.post("/v1/leases/wait-children", rest).await;
    assert_eq!(code(&answer), (422, "invalid_dependency"));
    complete(&api, &lease).await;
    let late = json!({"lease": lease, "members": [{"kind": "word"}]});
    let answer = api.post("/v1/leases/children", late).await;
    assert_eq!(code(&answer), (409, "execution_not_active"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_reads_under_its_lease_what_edges_pass_to_it() {
    let (database, api) = start().await;
    let flow = created(&api, fan_in("word")).await;
    let mut leases = Vec::new();
    for _ in 0..2 {
        leases.push(claim_one(&api, "w-1").await);
    }
    for claimed in leases {
        let done = json!({"lease": claimed["lease"], "result": {"of": claimed["id"]}});
        asked(&api, "complete", done).await;
    }
    let join = eventually("the last one is ready", async || {
        let claim = json!({"kinds": ["word"]});
        let (_, work) = api.post("/v1/workers/w-1/claim", claim).await;
        work["executions"].get(0).cloned()
    })
    .await;
    assert_eq!(join["id"], member(&flow, 2).as_str());
    assert_eq!(join["flow_id"], flow["flow_id"]);
    let lease = text(&join["lease"]);
    let given = asked(&api, "results", json!({"lease": lease})).await;
    assert_eq!(given["inputs"].as_array().map(Vec::len), Some(1));
    let input = &given["inputs"][0];
    assert_eq!(
        (&input["name"], &input["execution_id"]),
        (&json!("right"), &json!(member(&flow, 1)))
    );
    let read = json!({"lease": lease, "execution_id": member(&flow, 1)});
    let (_, result) = api.post("/v1/leases/result", read).await;
    assert_eq!(result, json!({"of": member(&flow, 1)}));
    complete(&api, &lease).await;
    database.assert_invariants().await;
}
