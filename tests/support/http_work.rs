//! Executions for workers that are not components and the requests of such workers, for
//! the tests of HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Database, database, eventually};

use crate::support::api::{Answer, Api, builder, with};

/// Starts a host and makes the kind `word` known, as a worker does; beside a kind
/// of a component, which once kept the names of workers from being written.
pub(crate) async fn start() -> (Database, Api) {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    (database, api)
}

pub(crate) async fn register(api: &Api, worker: &str, instance: &str) -> Answer {
    let body = json!({
        "worker_id": worker, "worker_instance_id": instance, "kinds": ["word"],
        "lanes": ["default"], "capabilities": ["ear"],
    });
    api.post("/v1/workers", body).await
}

/// Waits until so many hosts are registered, which serve any lane.
pub(crate) async fn hosts_are(api: &Api, count: usize) {
    eventually(&format!("{count} hosts are registered"), async || {
        let (_, page) = api.get("/v1/workers?live=true&lane=unused").await;
        let hosts = page["workers"].as_array().expect("a list");
        assert!(hosts.iter().all(|host| host["worker_type"] == "host"));
        (hosts.len() == count).then_some(())
    })
    .await;
}

/// A request for one attempt's worth of work.
pub(crate) fn word(text: &str) -> Value {
    json!({"kind": "word", "input_text": text})
}

pub(crate) async fn claim_with(api: &Api, worker: &str, more: Value) -> Vec<Value> {
    let body = with(json!({"kinds": ["word"]}), more);
    let (status, body) = api.post(&format!("/v1/workers/{worker}/claim"), body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["executions"].as_array().expect("a list").clone()
}

pub(crate) async fn claim_one(api: &Api, worker: &str) -> Value {
    let mut claimed = claim_with(api, worker, json!({"wait_ms": 10_000})).await;
    assert_eq!(claimed.len(), 1, "one execution is ready");
    claimed.remove(0)
}

pub(crate) async fn complete(api: &Api, lease: &str) {
    let (status, body) = api
        .post("/v1/leases/complete", json!({"lease": lease, "result": 1}))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

/// Issues a grant of an execution to the worker `w-1`.
pub(crate) async fn grant(api: &Api, id: &str, kind: &str, ttl_ms: u32) -> Answer {
    let body = json!({
        "worker_id": "w", "worker_instance_id": "w-1", "capabilities": ["ear"],
        "grant_ttl_ms": ttl_ms,
    });
    api.post(&format!("/v1/executions/{id}/{kind}-grant"), body)
        .await
}

pub(crate) async fn redeem(api: &Api, kind: &str, grant: &Value) -> Answer {
    let body = json!({"grant": grant["grant"]});
    api.post(&format!("/v1/grants/{kind}"), body).await
}
