//! Lists on the command line: a page says that there is more, and how to read on.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Api, flowhost, text};
use crate::support::http_waiting::{ask, held, named, suspend};
use crate::support::http_work::{claim_one, register, start};

async fn printed(api: &Api, arguments: &[&str]) -> String {
    let (code, out, err) = flowhost(api, arguments).await;
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    out
}

async fn json_of(api: &Api, arguments: &[&str]) -> Value {
    let out = printed(api, &[&["--json"], arguments].concat()).await;
    serde_json::from_str(&out).expect("JSON")
}

/// Reads a list one row at a time by what each page says; returns the rows.
async fn one_by_one(api: &Api, list: &[&str], rows: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = list.to_vec();
        arguments.extend(["--limit", "1"]);
        if let Some(cursor) = &after {
            arguments.extend(["--after", cursor]);
        }
        let page = json_of(api, &arguments).await;
        seen.extend(page[rows].as_array().expect("rows").clone());
        let next = page["next_cursor"].as_str();
        let shown = printed(api, &arguments).await;
        let said = shown.split_once("more with --after ");
        assert_eq!(said.map(|(_, cursor)| cursor.trim_end()), next, "{list:?}");
        after = next.map(str::to_owned);
        if after.is_none() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_how_to_read_on_and_all_pages_are_one() {
    let (_database, api) = start().await;
    register(&api, "w", "w-2").await;
    for name in ["night", "noon"] {
        let path = format!("/v1/lanes/{name}");
        let lane = json!({"state": "active"});
        api.ask(Method::PUT, &path, Some(lane)).await;
        let path = format!("/v1/namespaces/{name}");
        api.ask(Method::PUT, &path, Some(json!({"weight": 5})))
            .await;
    }
    for kid in ["k1", "k2"] {
        let rotate = json!({"new_kid": kid, "grace_ms": 60_000});
        api.post("/v1/waitpoint-keys/rotate", rotate).await;
        let token = json!({"name": kid, "role": "viewer"});
        api.post("/v1/tokens", token).await;
    }
    let (id, lease) = held(&api, json!({})).await;
    for key in ["p", "q"] {
        let create = json!({"lease": lease, "waitpoint_key": key});
        api.post("/v1/leases/waitpoints", create).await;
    }
    for (list, rows, key, count) in [
        (&["lane", "list"][..], "lanes", "name", 3),
        (&["namespace", "list"], "namespaces", "name", 2),
        (&["worker", "list"], "workers", "worker_instance_id", 3),
        (&["waitpoint-key", "list"], "keys", "kid", 2),
        (&["token", "list"], "keys", "name", 2),
        (&["component", "list"], "components", "digest", 1),
        (&["waitpoints"], "waitpoints", "waitpoint_key", 2),
        (&["waitpoints", &id], "waitpoints", "waitpoint_key", 2),
    ] {
        let names = |rows: &[Value]| rows.iter().map(|it| text(&it[key])).collect::<Vec<_>>();
        let parts = one_by_one(&api, list, rows).await;
        let whole = json_of(&api, &[list, &["--all-pages"]].concat()).await;
        assert_eq!(whole.get("next_cursor"), None, "{list:?}");
        let whole = whole[rows].as_array().expect("rows").clone();
        assert_eq!(names(&parts), names(&whole), "{list:?}");
        assert!(whole.len() >= count, "{list:?}: {whole:?}");
        let (code, _, err) = flowhost(&api, &[list, &["--limit", "0"]].concat()).await;
        assert_eq!(code, 2, "{list:?}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_with_more_than_is_shown_says_so() {
    let (_database, api) = start().await;
    let (id, mut lease) = held(&api, json!({})).await;
    for round in 0..2 {
        let key = format!("k{round}");
        suspend(&api, &lease, named(&key, "x"), json!({})).await;
        ask(&api, &id, "operator-signal", json!({"signal_name": "x"})).await;
        lease = text(&claim_one(&api, "w-1").await["lease"]);
    }
    let whole = printed(&api, &["show", &id]).await;
    assert!(!whole.contains("and more"), "{whole}");
    assert_eq!(whole.matches("attempt 0 (").count(), 1, "{whole}");
    let cut = printed(&api, &["show", &id, "--limit", "1"]).await;
    let more = "and more: show them with --limit or --all-pages";
    assert_eq!(cut.matches(more).count(), 5, "{cut}");
    assert_eq!(printed(&api, &["show", &id, "--all-pages"]).await, whole);

    let cut = json_of(&api, &["show", &id, "--limit", "1"]).await;
    let cursors = cut["next_cursors"].as_object().expect("cursors");
    let parts = [
        "attempts",
        "operations",
        "signals",
        "suspensions",
        "waitpoints",
    ];
    assert_eq!(cursors.keys().collect::<Vec<_>>(), parts);
    for (part, cursor) in cursors {
        let after = cursor.as_str().expect("text");
        let path = format!("/v1/executions/{id}/{part}?limit=1&after={after}");
        let (status, page) = api.get(&path).await;
        assert!(status.is_success(), "{part}: {page}");
    }
    let whole = json_of(&api, &["show", &id, "--all-pages"]).await;
    assert_eq!(whole.get("next_cursors"), None, "{whole}");
}
