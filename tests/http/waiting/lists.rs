//! Lists of waitpoints, suspensions and signals over HTTP: each row once, and only to
//! its namespace.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::api::{code, text};
use crate::support::http_waiting::{ask, held, named, of, suspend, waiting};
use crate::support::http_work::start;

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_each_row_once() {
    let (_database, api) = start().await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 9, "count_kind": "DistinctSignals", "waitpoints": ["a"],
    }});
    let (id, _) = waiting(&api, condition).await;
    let mut sent = Vec::new();
    for number in 0..5 {
        let signal = json!({"signal_name": "x", "payload": number});
        let (_, answer) = ask(&api, &id, "operator-signal", signal).await;
        sent.push(answer["signal_id"].clone());
    }
    let mut read = Vec::new();
    let mut path = format!("/v1/executions/{id}/signals?limit=2");
    let mut pages = 0;
    loop {
        let (_, page) = api.get(&path).await;
        let rows = page["signals"].as_array().expect("a list");
        read.extend(rows.iter().map(|row| row["signal_id"].clone()));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/executions/{id}/signals?limit=2&after={cursor}");
    }
    assert_eq!((read, pages), (sent, 3));

    let (other, lease) = held(&api, json!({})).await;
    for number in 0..5 {
        let create = json!({"lease": lease, "waitpoint_key": format!("p{number}"),
                            "expires_in_ms": 1_000_000 - number * 1000});
        let (status, body) = api.post("/v1/leases/waitpoints", create).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    let (mut keys, mut path) = (Vec::new(), "/v1/waitpoints?limit=2".to_owned());
    loop {
        let (_, page) = api.get(&path).await;
        for row in page["waitpoints"].as_array().expect("a list") {
            assert_eq!(
                (&row["execution_id"], &row["state"]),
                (&json!(other), &json!("pending"))
            );
            keys.push(text(&row["waitpoint_key"]));
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/waitpoints?limit=2&after={cursor}");
    }
    assert_eq!(keys, ["p4", "p3", "p2", "p1", "p0"]);
    let refused = api.get("/v1/waitpoints?limit=0").await;
    assert_eq!(code(&refused), (422, "invalid_input"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_sees_and_signals_only_its_own_executions() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({"namespace": "acme"})).await;
    let create = json!({"lease": lease, "waitpoint_key": "early"});
    api.post("/v1/leases/waitpoints", create).await;
    let pending = async |namespace: &str| {
        let (_, page) = api
            .get(&format!("/v1/waitpoints?namespace={namespace}"))
            .await;
        page["waitpoints"].as_array().expect("a list").len()
    };
    assert_eq!((pending("acme").await, pending("other").await), (1, 0));
    let suspended = suspend(&api, &lease, named("a", "x"), json!({})).await;
    let token = &suspended["waitpoints"][0]["waitpoint_token"];
    for what in [
        "",
        "/waitpoints",
        "/suspensions",
        "/signals",
        "/attempts",
        "/history",
        "/operations",
    ] {
        let path = |namespace: &str| format!("/v1/executions/{id}{what}?namespace={namespace}");
        assert_eq!(api.get(&path("acme")).await.0, StatusCode::OK, "{what}");
        let refused = api.get(&path("other")).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{what}");
    }
    for (verb, body) in [
        (
            "operator-signal",
            json!({"signal_name": "x", "waitpoint": "a"}),
        ),
        ("approve", json!({"waitpoint": "a"})),
        ("reject", json!({"waitpoint": "a"})),
        ("resume", json!({})),
        ("waitpoints/a/close", json!({})),
        ("waitpoints/a/token", json!({})),
    ] {
        let refused = ask(&api, &id, &format!("{verb}?namespace=other"), body).await;
        assert_eq!(code(&refused), (404, "execution_not_found"), "{verb}");
    }
    let signal = json!({"waitpoint_token": token, "signal_name": "x"});
    let refused = ask(&api, &id, "signal?namespace=other", signal.clone()).await;
    assert_eq!(code(&refused), (403, "invalid_token"));
    assert_eq!(of(&api, &id, "signals").await.len(), 0);
    let (status, body) = ask(&api, &id, "signal?namespace=acme", signal).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waitpoints_are_listed_by_state_and_in_the_order_they_were_made() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let create = json!({"lease": lease, "waitpoint_key": "early"});
    api.post("/v1/leases/waitpoints", create).await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 4, "count_kind": "DistinctWaitpoints",
        "waitpoints": ["d", "c", "b", "a"],
    }});
    suspend(&api, &lease, condition, json!({})).await;
    let (status, body) = ask(&api, &id, "waitpoints/c/close", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let keys = async |query: &str| {
        let rows = of(&api, &id, &format!("waitpoints{query}")).await;
        let keys = rows.iter().map(|row| text(&row["waitpoint_key"]));
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys("").await, ["early", "d", "c", "b", "a"]);
    assert_eq!(keys("?state=pending").await, ["early"]);
    assert_eq!(keys("?state=active").await, ["d", "b", "a"]);
    assert_eq!(keys("?state=closed").await, ["c"]);
    assert_eq!(keys("?state=expired").await.len(), 0);
    // A page of a state is continued in that state.
    let path = format!("/v1/executions/{id}/waitpoints?state=active&limit=2");
    let (_, page) = api.get(&path).await;
    let next = text(&page["next_cursor"]);
    let (_, page) = api.get(&format!("{path}&after={next}")).await;
    assert_eq!(page["waitpoints"][0]["waitpoint_key"], "a");
    assert_eq!(page.get("next_cursor"), None, "{page}");
    let refused = api.get(&path.replace("active", "open")).await;
    assert_eq!(code(&refused), (400, "invalid_query"));
    // The execution shows those at which it waits.
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    let shown = info["suspension"]["waitpoints"].as_array().expect("a list");
    let shown: Vec<_> = shown
        .iter()
        .map(|row| text(&row["waitpoint_key"]))
        .collect();
    assert_eq!(shown, ["d", "b", "a"]);
}
