//! Events, as a service reads them: which it may read, in what order, and how long it
//! waits for them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{database, guest};

use crate::support::api::{Api, builder, once, with};

const COMPLETION: usize = 1;
const TAGS: usize = 3;
const LIFECYCLE: usize = 5;

/// Asks the service in `namespace` to read events.
fn asked(namespace: &str, script: &Value) -> Value {
    let input = format!("events{script}");
    with(once("wayward", &input), json!({"namespace": namespace}))
}

/// Returns what a service read: a line for each event, and at last where it continues.
async fn read(api: &Api, namespace: &str, script: Value) -> (Vec<String>, String) {
    let id = api.create(asked(namespace, &script)).await;
    answered(api, &id).await
}

async fn answered(api: &Api, id: &str) -> (Vec<String>, String) {
    let info = api.wait(id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let (_, text) = api.result(id).await;
    let text = String::from_utf8(text).expect("text");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let last = lines.pop().expect("a line");
    (lines, last)
}

/// Returns the cursor in the last line of an answer.
fn cursor(last: &str) -> &str {
    last.split_once(' ')
        .expect("a cursor and whether there is more")
        .0
}

/// Returns ids of the executions that events are of.
fn executions(lines: &[String]) -> BTreeSet<String> {
    let id = |line: &String| line.split('"').nth(5).map(str::to_owned);
    lines.iter().filter_map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_reads_the_events_of_its_kinds_and_of_its_own_namespace_alone() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward", "echo"]).await;
    let elsewhere = json!({"namespace": "elsewhere"});
    let echo = api.run(once("echo", "here")).await;
    let there = api
        .run(with(once("echo", "there"), elsewhere.clone()))
        .await;
    let work = api.run(with(once("wayward", "work"), elsewhere)).await;
    let id = |info: &Value| info["id"].as_str().expect("an id").to_owned();

    // Of its kind, wherever that is executed.
    let script = json!({"family": LIFECYCLE, "of_kind": "wayward", "after": "beginning"});
    let (lines, _) = read(&api, "default", script).await;
    let found = executions(&lines);
    assert!(found.contains(&id(&work)), "{lines:?}");
    assert!(
        !found.contains(&id(&echo)) && !found.contains(&id(&there)),
        "{lines:?}"
    );
    assert!(
        lines.iter().all(|line| line.contains("\"wayward\"")),
        "{lines:?}"
    );
    let work_lines: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(&id(&work)))
        .collect();
    for (line, fact) in work_lines.iter().zip(["created", "acquired", "success"]) {
        assert!(
            line.ends_with(&format!("Fact::Lifecycle({fact:?})")),
            "{line}"
        );
    }
    assert_eq!(work_lines.len(), 3, "{work_lines:?}");

    // In its namespace, of every kind.
    let script = json!({"family": COMPLETION, "after": "beginning"});
    let (lines, _) = read(&api, "default", script.clone()).await;
    let found = executions(&lines);
    assert!(found.contains(&id(&echo)), "{lines:?}");
    assert!(
        !found.contains(&id(&there)) && !found.contains(&id(&work)),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with("Fact::Completion(Outcome::Success)"),
        "{}",
        lines[0]
    );
    let (lines, _) = read(&api, "elsewhere", script).await;
    let found = executions(&lines);
    assert!(
        found.contains(&id(&there)) && found.contains(&id(&work)),
        "{lines:?}"
    );
    assert!(!found.contains(&id(&echo)), "{lines:?}");

    // Of no other kind, and no other namespace by a filter.
    let script = json!({"family": LIFECYCLE, "of_kind": "echo", "after": "beginning"});
    let (_, refusal) = read(&api, "default", script).await;
    assert_eq!(refusal, "EventsError::KindNotRouted(\"echo\")");
    let script = json!({"family": COMPLETION, "after": "beginning", "execution": id(&there)});
    let (lines, _) = read(&api, "default", script).await;
    assert_eq!(lines, Vec::<String>::new());
    let kept = api
        .create(with(once("wayward", "keep"), json!({"namespace": "third"})))
        .await;
    api.until(&kept, "active").await;
    let (_, refusal) = read(&api, "default", json!({"family": COMPLETION})).await;
    assert!(refusal.contains("several namespaces"), "{refusal}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_continues_where_it_was_and_reads_each_event_once() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward", "echo"]).await;
    let (_, start) = read(&api, "default", json!({"family": COMPLETION})).await;
    let mut wanted = BTreeSet::new();
    for number in 0..6 {
        let body = with(
            once("echo", "x"),
            json!({"tags": {"test.number": number.to_string()}}),
        );
        wanted.insert(
            api.run(body).await["id"]
                .as_str()
                .expect("an id")
                .to_owned(),
        );
    }
    let mut after = cursor(&start).to_owned();
    let mut seen = Vec::new();
    for _ in 0..6 {
        let script = json!({"family": COMPLETION, "kind": "echo", "after": after, "max": 2});
        let (lines, last) = read(&api, "default", script).await;
        assert!(lines.len() <= 2, "{lines:?}");
        seen.extend(lines);
        last.split(' ')
            .next()
            .expect("a cursor")
            .clone_into(&mut after);
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert_eq!(executions(&seen), wanted);

    let script =
        json!({"family": COMPLETION, "after": cursor(&start), "tag": ["test.number", "4"]});
    let (lines, _) = read(&api, "default", script).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let script = json!({"family": TAGS, "after": cursor(&start)});
    let (_, refusal) = read(&api, "default", script).await;
    assert_eq!(
        refusal, "EventsError::InvalidCursor",
        "it is of another family"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_an_event_and_no_longer_than_the_service_may_run() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward", "echo"]).await;
    let later = with(once("echo", "x"), json!({"delay_ms": 3_600_000}));
    let delayed = api.create(later).await;
    let (lines, start) = read(
        &api,
        "default",
        json!({"family": COMPLETION, "kind": "echo"}),
    )
    .await;
    assert!(lines.is_empty(), "{lines:?}");
    let script = json!({
        "family": COMPLETION, "kind": "echo", "after": cursor(&start), "wait_ms": 30_000});
    let began = Instant::now();
    let waits = api.create(asked("default", &script)).await;
    api.until(&waits, "active").await;
    let (status, body) = api
        .post(&format!("/v1/executions/{delayed}/cancel"), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (lines, last) = answered(&api, &waits).await;
    assert_eq!(executions(&lines), BTreeSet::from([delayed]));
    assert!(
        lines[0].ends_with("Fact::Completion(Outcome::Cancelled)"),
        "{}",
        lines[0]
    );

    // The time of a wait that is short passes.
    let script = json!({
        "family": COMPLETION, "kind": "echo", "after": cursor(&last), "wait_ms": 50});
    let (lines, last) = read(&api, "default", script).await;
    assert!(lines.is_empty(), "{lines:?}");

    // One that is long ends when the kind is routed elsewhere.
    let script = json!({
        "family": COMPLETION, "kind": "echo", "after": cursor(&last), "wait_ms": 30_000});
    let waits = api.create(asked("default", &script)).await;
    api.until(&waits, "active").await;
    let (_, published) = api.publish(guest("echo"), "wayward").await;
    let digest = published["digest"].as_str().expect("a digest");
    let routes = json!({"routes": [{"digest": digest, "weight": 1}]});
    let (status, body) = api
        .ask(Method::PUT, "/v1/kinds/wayward/routes", Some(routes))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (lines, _) = answered(&api, &waits).await;
    assert!(lines.is_empty(), "{lines:?}");
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_asks_for_wrongly_is_refused_by_name() {
    let database = database().await;
    let api = Api::start(builder(&database), &["wayward"]).await;
    for (script, wanted) in [
        (json!({"after": "x"}), "EventsError::InvalidCursor"),
        (json!({"after": ""}), "EventsError::InvalidCursor"),
        (
            json!({"max": 0}),
            "EventsError::Invalid(\"invalid_input: max",
        ),
        (
            json!({"max": 257}),
            "EventsError::Invalid(\"invalid_input: max",
        ),
        (
            json!({"wait_ms": 30_001}),
            "EventsError::Invalid(\"invalid_input: max_wait_ms",
        ),
        (
            json!({"kind": "a b"}),
            "EventsError::Invalid(\"invalid_input: ",
        ),
        (
            json!({"lane": "x".repeat(300)}),
            "EventsError::Invalid(\"invalid_input: ",
        ),
        (
            json!({"execution": "x"}),
            "EventsError::Invalid(\"invalid_input: execution_id",
        ),
        (
            json!({"flow": "x"}),
            "EventsError::Invalid(\"invalid_input: flow_id",
        ),
        (
            json!({"tag": ["a b", "c"]}),
            "EventsError::Invalid(\"invalid_tag_key: ",
        ),
        (
            json!({"of_kind": "wayward", "kind": "echo"}),
            "EventsError::Invalid(\"invalid_input: kind",
        ),
    ] {
        let (_, refusal) = read(&api, "default", script.clone()).await;
        assert!(refusal.starts_with(wanted), "{script}: {refusal}");
    }
}
