//! Every refusal by its code, with what it is about.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::graphs::{created, fan_in, member, path};
use crate::support::api::{Api, code, text, with};
use crate::support::http_work::{claim_one, start};

const UNKNOWN: &str = "01990000-0000-7000-8000-000000000000";

/// Asks for a flow with other members, edges or groups.
async fn refused(api: &Api, more: Value) -> ((u16, String), Value) {
    let answer = api.post("/v1/flows", with(fan_in("word"), more)).await;
    let (status, code) = code(&answer);
    ((status, code.to_owned()), answer.1)
}

fn edges(pairs: &[(&str, &str)]) -> Value {
    let edge = |(up, down): &(&str, &str)| json!({"upstream": up, "downstream": down});
    json!({"edges": pairs.iter().map(edge).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_is_none_is_refused_by_name_and_leaves_nothing() {
    let (_database, api) = start().await;
    let group = |policy: Value| json!({"groups": [{"downstream": "join", "policy": policy}]});
    let member = |more: Value| json!({"members": [with(json!({"name": "bad", "kind": "word"}), more)], "edges": []});
    let text = "x".repeat(200);
    for (more, expected, name, value) in [
        (
            edges(&[("left", "join"), ("join", "left")]),
            (422, "cycle_detected"),
            "cycle",
            json!(["left", "join"]),
        ),
        (
            edges(&[("left", "left")]),
            (422, "self_referencing_edge"),
            "member",
            json!("left"),
        ),
        (
            edges(&[("left", "nowhere")]),
            (404, "execution_not_in_flow"),
            "member",
            json!("nowhere"),
        ),
        (
            edges(&[(UNKNOWN, "left")]),
            (404, "execution_not_in_flow"),
            "member",
            json!(UNKNOWN),
        ),
        (
            edges(&[("left", "join"), ("left", "join")]),
            (409, "dependency_already_exists"),
            "upstream",
            json!("left"),
        ),
        (
            edges(&[("-", "join")]),
            (422, "invalid_input"),
            "field",
            json!("upstream"),
        ),
        (
            edges(&[("left", &text)]),
            (422, "invalid_input"),
            "field",
            json!("downstream"),
        ),
        (
            group(json!({"kind": "quorum", "k": 0})),
            (422, "invalid_input"),
            "field",
            json!("k"),
        ),
        (
            member(json!({"kind": "unknown-kind"})),
            (422, "unknown_kind"),
            "member",
            json!("bad"),
        ),
        (
            member(json!({"kind": "K"})),
            (422, "invalid_input"),
            "member",
            json!("bad"),
        ),
        (
            member(json!({"priority": 9001})),
            (422, "invalid_input"),
            "member",
            json!("bad"),
        ),
        (
            member(json!({"policy": {"max_replay": 1}})),
            (422, "invalid_policy_json"),
            "member",
            json!("bad"),
        ),
        (
            member(json!({"input": 1, "input_text": "x"})),
            (422, "invalid_input"),
            "member",
            json!("bad"),
        ),
        (
            member(json!({"name": UNKNOWN})),
            (422, "invalid_input"),
            "field",
            json!("name"),
        ),
        (
            member(json!({"tags": {"Bad": "x"}})),
            (422, "invalid_tag_key"),
            "member",
            json!("bad"),
        ),
        (
            json!({"kind": ""}),
            (422, "invalid_input"),
            "field",
            json!("kind"),
        ),
        (
            json!({"tags": {"Bad": "x"}}),
            (422, "invalid_tag_key"),
            "field",
            json!("tags"),
        ),
        (
            json!({"id": "00000000-0000-4000-8000-000000000000"}),
            (422, "invalid_input"),
            "field",
            json!("id"),
        ),
        (
            json!({"creator": "a\0"}),
            (422, "invalid_input"),
            "field",
            json!("creator"),
        ),
        (
            json!({"idempotency_key": "a\0"}),
            (422, "invalid_input"),
            "field",
            json!("idempotency_key"),
        ),
    ] {
        let ((status, code), problem) = refused(&api, more.clone()).await;
        assert_eq!((status, code.as_str()), expected, "{more}: {problem}");
        if name == "cycle" {
            assert_eq!(problem[name].as_array().map(Vec::len), Some(2), "{problem}");
        } else {
            assert_eq!(problem[name], value, "{more}: {problem}");
        }
    }
    for malformed in [
        json!({"color": 1}),
        json!({"cancellation_policy": "cancel"}),
        json!({"edges": [{"upstream": "left", "downstream": "join", "dependency_kind": "maybe"}]}),
        member(json!({"namespace": "other"})),
        member(json!({"idempotency_key": "k"})),
        group(json!({"kind": "most"})),
        group(json!({"kind": "all_of", "k": 1})),
    ] {
        let (seen, problem) = refused(&api, malformed.clone()).await;
        assert_eq!(
            seen,
            (400, "malformed_json".to_owned()),
            "{malformed}: {problem}"
        );
    }
    let (_, page) = api.get("/v1/flows").await;
    assert_eq!(page["flows"], json!([]));
    let (_, page) = api.get("/v1/executions").await;
    assert_eq!(page["executions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_a_flow_that_is_there_is_refused_by_name() {
    let (_database, api) = start().await;
    let flow = created(&api, fan_in("word")).await;
    let other = created(&api, fan_in("word")).await;
    let members = format!("{}/members", path(&flow));
    let grow = async |body: Value| api.post(&members, body).await;
    let doubled = grow(edges(&[("left", "join")])).await;
    assert_eq!(code(&doubled), (409, "dependency_already_exists"));
    assert_eq!(doubled.1["existing"], flow["edge_ids"][0]);
    let cycle = grow(edges(&[("join", "left")])).await;
    assert_eq!(code(&cycle), (422, "cycle_detected"));
    let policy = json!({"groups": [{"downstream": "join", "policy": {"kind": "any_of"}}]});
    assert_eq!(
        code(&grow(policy).await),
        (409, "edge_group_policy_already_fixed")
    );
    let unknown = grow(json!({"added": [UNKNOWN]})).await;
    assert!([404, 422].contains(&code(&unknown).0), "{}", unknown.1);
    // One of another flow is on another partition, or is refused for that flow.
    let of_other = grow(json!({"added": [member(&other, 0)]})).await;
    let names = ["partition_mismatch", "execution_already_in_flow"];
    assert!(names.contains(&code(&of_other).1), "{}", of_other.1);
    assert_eq!(of_other.1["execution_id"], json!(member(&other, 0)));
    let named = json!({"members": [{"name": "left", "kind": "word", "input": 7}]});
    let conflict = grow(named).await;
    assert_eq!(code(&conflict), (409, "idempotency_conflict"));
    assert_eq!(conflict.1["existing"], json!(member(&flow, 0)));
    let begun = text(&claim_one(&api, "w-1").await["id"]);
    let at = (0..3).find(|at| member(&flow, *at) == begun);
    if let Some(at) = at {
        let from = if at == 0 { "right" } else { "left" };
        let late = grow(edges(&[(from, &begun)])).await;
        assert_eq!(code(&late), (422, "invalid_dependency"), "{}", late.1);
    }
    let (_, shown) = api.get(&path(&flow)).await;
    assert_eq!(shown["graph_revision"], 5, "nothing was added");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found_on_every_route() {
    let (_database, api) = start().await;
    let gone = format!("/v1/flows/{UNKNOWN}");
    for below in [
        "",
        "/members",
        "/edges",
        "/edges/01990000-0000-7000-8000-000000000001",
    ] {
        let missing = api.get(&format!("{gone}{below}")).await;
        assert_eq!(code(&missing), (404, "flow_not_found"), "{below}");
    }
    for below in ["/members", "/cancel"] {
        let missing = api.post(&format!("{gone}{below}"), json!({})).await;
        assert_eq!(code(&missing), (404, "flow_not_found"), "{below}");
    }
    let flow = created(&api, fan_in("word")).await;
    let edge = format!("{}/edges/{UNKNOWN}", path(&flow));
    assert_eq!(code(&api.get(&edge).await), (404, "edge_not_found"));
    let edge = format!("{}/edges/none", path(&flow));
    assert_eq!(code(&api.get(&edge).await), (400, "invalid_id"));
    assert_eq!(code(&api.get("/v1/flows/none").await), (400, "invalid_id"));
    let of = api.get(&format!("/v1/executions/{UNKNOWN}/flow")).await;
    assert_eq!(code(&of), (404, "execution_not_found"));
    let wait = format!("{}/cancel?wait_ms=60001", path(&flow));
    assert_eq!(
        code(&api.post(&wait, json!({})).await),
        (422, "invalid_input")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_is_too_large_is_refused_and_the_largest_request_is_read() {
    let (_database, api) = start().await;
    let members: Vec<Value> = (0..10_001).map(|_| json!({"kind": "word"})).collect();
    let many = json!({"kind": "wide", "members": members});
    let large = api.post("/v1/flows", many).await;
    assert_eq!(code(&large), (422, "flow_too_large"));
    assert_eq!(large.1["max"], 10_000);
    // Forty inputs of a mebibyte arrive, and are more than the inputs of one request may be.
    let input = "x".repeat(1 << 20);
    let wide = |count: usize| {
        let member = json!({"kind": "word", "input_text": input});
        json!({"kind": "heavy", "members": vec![member; count]})
    };
    let heavy = api.post("/v1/flows", wide(33)).await;
    assert_eq!(code(&heavy), (422, "invalid_input"), "{}", heavy.1);
    assert_eq!(heavy.1["field"], "members");
    let beyond = api.post("/v1/flows", wide(49)).await;
    assert_eq!(code(&beyond), (413, "payload_too_large"));
    assert_eq!(beyond.1["bytes_max"], 48 << 20);
    let (status, fits) = api.post("/v1/flows", wide(30)).await;
    assert_eq!(status, StatusCode::CREATED, "{fits}");
}
