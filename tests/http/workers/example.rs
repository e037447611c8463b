//! The example of a worker that is not a component, run as its readers run it.

use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder};
use crate::support::native_worker::{NativeWorker, live};

async fn start(api: &Api, worker_id: &str) -> NativeWorker {
    let mut command = Command::new("python3");
    command.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/guest-examples/native-worker/worker.py"
    ));
    NativeWorker::start(api, worker_id, command, "guest-examples/build.sh").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_worker_completes_executions_and_stops_when_told_to() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let worker = start(&api, "reader").await;

    let counted = api
        .run(json!({"kind": "word-frequencies", "input_text": "To be, or not to be: that’s it"}))
        .await;
    assert_eq!(counted["public_state"], "completed", "{counted}");
    let (content_type, result) = api.result(counted["id"].as_str().expect("an id")).await;
    assert_eq!(content_type, "application/json");
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    assert_eq!(
        (&result["words"], &result["distinct"]),
        (&json!(8), &json!(6))
    );
    assert_eq!(result["top"][0], json!(["be", 2]));

    let table = api
        .run(json!({"kind": "csv-to-json", "input_text": "name,n\nharbour,3\n\"a, b\",4\n"}))
        .await;
    let (_, result) = api.result(table["id"].as_str().expect("an id")).await;
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    assert_eq!(
        result,
        json!([{"name": "harbour", "n": "3"}, {"name": "a, b", "n": "4"}])
    );

    let broken = api
        .run(json!({"kind": "csv-to-json", "input_text": "name,n\nharbour\n"}))
        .await;
    assert_eq!(broken["failure"]["class"], "permanent");
    assert_eq!(broken["failure"]["code"], "bad_csv");
    let bytes = api
        .run(json!({"kind": "word-frequencies", "input_base64": "/w=="}))
        .await;
    assert_eq!(bytes["failure"]["code"], "not_utf8");

    let recited = api
        .run(json!({"kind": "recite", "input_text": "so much\ndepends"}))
        .await;
    assert_eq!(recited["public_state"], "completed", "{recited}");
    let stream = format!(
        "/v1/executions/{}/attempts/0/stream",
        recited["id"].as_str().expect("an id")
    );
    let (_, page) = api.get(&stream).await;
    let words = page["frames"].as_array().expect("a list").iter();
    let words = words.filter(|frame| frame["fields"]["frame_type"] == "word");
    let words = words.map(|frame| frame["fields"]["payload"].as_str().expect("text"));
    assert_eq!(words.collect::<String>(), "so much\ndepends");
    let (_, summary) = api.get(&format!("{stream}/summary")).await;
    assert_eq!(summary["document"], json!({"words": {"said": 3, "of": 3}}));

    let waits = json!({"kind": "sign-off", "input_text": "Ship it?"});
    let id = api.create(waits.clone()).await;
    api.until(&id, "suspended").await;
    let approve = format!("/v1/executions/{id}/approve");
    let (status, body) = api.post(&approve, json!({"actor": "alice"})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    assert_eq!(api.wait(&id).await["public_state"], "completed");
    let (_, result) = api.result(&id).await;
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    assert_eq!(
        result,
        json!({"text": "Ship it?", "decision": "approved", "by": "alice"})
    );
    let id = api.create(waits).await;
    api.until(&id, "suspended").await;
    let resume = format!("/v1/executions/{id}/resume");
    let (status, body) = api.post(&resume, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(api.wait(&id).await["failure"]["code"], "nobody_decided");

    let ended = worker.stop().await;
    assert!(ended.success(), "{ended}");
    assert!(
        live(&api, "reader").await.is_empty(),
        "it left the registry"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_executions_of_a_killed_native_worker_are_completed_by_the_next() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    // Stands in for a worker that was killed with work in its hands.
    let (status, _) = api
        .post(
            "/v1/workers",
            json!({"worker_id": "w", "worker_instance_id": "w-1", "kinds": ["word-frequencies"]}),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let id = api
        .create(json!({"kind": "word-frequencies", "input_text": "one two"}))
        .await;
    let (_, held) = api
        .post(
            "/v1/workers/w-1/claim",
            json!({"kinds": ["word-frequencies"], "lease_ttl_ms": 1000}),
        )
        .await;
    assert_eq!(held["executions"][0]["id"], id.as_str());
    let first = start(&api, "reader").await;
    assert_eq!(api.wait(&id).await["public_state"], "completed");
    assert_eq!(api.attempts(&id).await[1]["attempt_type"], "reclaim");
    // A killed process says nothing; the next one is another instance.
    drop(first);
    let _second = start(&api, "reader").await;
    let again = api
        .run(json!({"kind": "word-frequencies", "input_text": "three"}))
        .await;
    assert_eq!(again["public_state"], "completed");
    database.assert_invariants().await;
}
