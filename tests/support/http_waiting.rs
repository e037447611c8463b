//! Executions that wait, for the tests of HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, text, with};
use crate::support::http_work::{claim_one, word};

/// An execution that a worker holds: its id and the handle of the lease.
pub(crate) async fn held(api: &Api, more: Value) -> (String, String) {
    let id = api.create(with(word("x"), more)).await;
    let claimed = claim_one(api, "w-1").await;
    assert_eq!(claimed["id"], id.as_str());
    (id, text(&claimed["lease"]))
}

/// Builds the request to suspend under a lease.
pub(crate) fn suspend_request(lease: &str, condition: Value, more: Value) -> Value {
    with(json!({"lease": lease, "resume_condition": condition}), more)
}

/// Suspends under a lease; returns what was answered.
pub(crate) async fn suspend(api: &Api, lease: &str, condition: Value, more: Value) -> Value {
    let request = suspend_request(lease, condition, more);
    let (status, body) = api.post("/v1/leases/suspend", request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// An execution that waits for a signal at one waitpoint: its id and the waitpoint
/// with its token.
pub(crate) async fn waiting(api: &Api, condition: Value) -> (String, Value) {
    let (id, lease) = held(api, json!({})).await;
    let suspended = suspend(api, &lease, condition, json!({})).await;
    assert_eq!(suspended["outcome"], "suspended", "{suspended}");
    (id, suspended["waitpoints"][0].clone())
}

pub(crate) fn named(key: &str, name: &str) -> Value {
    json!({"Single": {"waitpoint_key": key, "matcher": {"ByName": name}}})
}

/// Applies a verb to an execution.
pub(crate) async fn ask(api: &Api, id: &str, verb: &str, body: Value) -> Answer {
    api.post(&format!("/v1/executions/{id}/{verb}"), body).await
}

/// Reads a list of an execution.
pub(crate) async fn of(api: &Api, id: &str, what: &str) -> Vec<Value> {
    let (status, body) = api.get(&format!("/v1/executions/{id}/{what}")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let name = what.split('?').next().expect("a name");
    body[name].as_array().expect("a list").clone()
}
