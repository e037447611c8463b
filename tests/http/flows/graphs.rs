//! The graphs that these tests ask for, and what is read from the answers.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::api::{Api, text};

/// A graph of three members, of which the last waits for the others.
pub(super) fn fan_in(kind: &str) -> Value {
    json!({
        "kind": "report",
        "members": [
            {"name": "left", "kind": kind, "input": 1},
            {"name": "right", "kind": kind, "input": 2},
            {"name": "join", "kind": kind, "input": 3},
        ],
        "edges": [
            {"upstream": "left", "downstream": "join"},
            {"upstream": "right", "downstream": "join", "data_passing_ref": "right"},
        ],
    })
}

/// Creates a flow and returns what was answered.
pub(super) async fn created(api: &Api, body: Value) -> Value {
    let (status, flow) = api.post("/v1/flows", body).await;
    assert_eq!(status, StatusCode::CREATED, "{flow}");
    flow
}

/// Returns the path of a flow.
pub(super) fn path(flow: &Value) -> String {
    format!("/v1/flows/{}", text(&flow["flow_id"]))
}

/// Returns the execution of the member at a place of the request.
pub(super) fn member(flow: &Value, at: usize) -> String {
    text(&flow["members"][at]["execution_id"])
}
