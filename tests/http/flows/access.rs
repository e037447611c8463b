//! Who may do what with flows: a flow of another namespace does not exist.

use model::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::graphs::fan_in;
use crate::http::access::guarded::Guarded;
use crate::support::api::{text, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_flow_is_answered_like_an_unknown_one_on_every_route() {
    let host = Guarded::start().await;
    host.word().await;
    let submitter = host.key("submitter-b", Role::Submitter, Some("b")).await;
    let (status, flow) = host.post(&submitter, "/v1/flows", fan_in("word")).await;
    assert_eq!(status, StatusCode::CREATED, "{flow}");
    let id = text(&flow["flow_id"]);
    let edge = text(&flow["edge_ids"][0]);
    let viewer = host.key("viewer-b", Role::Viewer, Some("b")).await;
    let (_, shown) = host.get(&viewer, &format!("/v1/flows/{id}")).await;
    assert_eq!(
        shown["namespace"], "b",
        "the only one in which the caller may create"
    );
    assert_eq!(shown["creator"], "key:submitter-b");
    let first = text(&flow["members"][0]["execution_id"]);
    let (_, execution) = host.get(&viewer, &format!("/v1/executions/{first}")).await;
    assert_eq!(
        (&execution["creator"], &execution["namespace"]),
        (&json!("key:submitter-b"), &json!("b"))
    );
    let foreign = host.key("operator-a", Role::Admin, Some("a")).await;
    let unknown = "01990000-0000-7000-8000-000000000000";
    let tags = json!({"tags": {"a.b": "c"}});
    for (method, below, body) in [
        (Method::GET, String::new(), None),
        (Method::GET, "/members".to_owned(), None),
        (Method::GET, "/edges".to_owned(), None),
        (Method::GET, format!("/edges/{edge}"), None),
        (
            Method::POST,
            "/members".to_owned(),
            Some(json!({"members": [{"kind": "word"}]})),
        ),
        (Method::POST, "/cancel".to_owned(), Some(json!({}))),
        (Method::PATCH, "/tags".to_owned(), Some(tags)),
    ] {
        let ask = async |id: &str| -> (StatusCode, Value) {
            let path = format!("/v1/flows/{id}{below}");
            host.ask(&foreign, method.clone(), &path, body.clone())
                .await
        };
        let (status, problem) = ask(&id).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (404, &json!("flow_not_found")),
            "{method} {below}"
        );
        assert_eq!((status, problem), ask(unknown).await, "{method} {below}");
    }
    let (_, listed) = host.get(&foreign, "/v1/flows").await;
    assert_eq!(listed["flows"], json!([]));
    let (status, refused) = host
        .post(
            &foreign,
            "/v1/flows",
            with(fan_in("word"), json!({"namespace": "b"})),
        )
        .await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (403, &json!("role_missing"))
    );
    for (role, method, below) in [
        (&submitter, Method::POST, "cancel"),
        (&submitter, Method::PATCH, "tags"),
        (&viewer, Method::POST, "members"),
    ] {
        let path = format!("/v1/flows/{id}/{below}");
        let (status, _) = host.ask(role, method, &path, Some(json!({}))).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{below}");
    }
    let (_, shown) = host.get(&viewer, &format!("/v1/flows/{id}")).await;
    assert_eq!(
        (&shown["status"], &shown["graph_revision"]),
        (&json!("active"), &json!(5))
    );
}
