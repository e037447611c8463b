//! The workers on the generated clients, run as their readers run them.

use std::path::Path;
use std::process::Command;

use model::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{database, eventually};

use super::super::access::guarded::Guarded;
use crate::support::api::{Api, builder, text};
use crate::support::native_worker::{NativeWorker, live};

const TOP: &str = env!("CARGO_MANIFEST_DIR");

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_on_the_python_client_does_what_a_worker_does() {
    does_what_a_worker_does("python-worker", python()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_on_the_typescript_client_does_what_a_worker_does() {
    does_what_a_worker_does("typescript-worker", typescript()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_worker_works_with_the_key_of_one_namespace() {
    let host = Guarded::start().await;
    let worker = host.key("worker", Role::Worker, Some("a")).await;
    let submitter = host.key("submitter", Role::Submitter, Some("a")).await;
    let invoice = invoice(&[json!({"item": "nail", "cents": 10})]);
    let words = json!({"kind": "word-frequencies", "input_text": "to be"});
    for (command, create) in [
        (python(), &invoice),
        (typescript(), &invoice),
        (example(), &words),
    ] {
        let mut command = command;
        command.env("FLOWHOST_API_KEY", &worker.text);
        let worker = NativeWorker::spawn(host.host.url(), "keyed", command, "make clients");
        // It makes its kinds known.
        eventually("the worker has registered", async || {
            let (_, kinds) = host.get(&submitter, "/v1/kinds").await;
            kinds
                .to_string()
                .contains(&text(&create["kind"]))
                .then_some(())
        })
        .await;
        let id = host.create(&submitter, create.clone()).await;
        let path = format!("/v1/executions/{id}/wait?timeout_ms=20000");
        let (_, ended) = host.get(&submitter, &path).await;
        assert_eq!(ended["public_state"], "completed", "{ended}");
        assert_eq!(ended["namespace"], "a");
        let ended = worker.stop().await;
        assert!(ended.success(), "{ended}");
    }
}

fn python() -> Command {
    let client = existing("target/clients/python");
    let mut command = Command::new(existing("target/clients/venv/bin/python"));
    command
        .arg(existing("guest-examples/native-worker/python/worker.py"))
        .env("PYTHONPATH", client);
    command
}

fn typescript() -> Command {
    let mut command = Command::new("node");
    command.arg(existing(
        "guest-examples/native-worker/typescript/dist/worker.js",
    ));
    command
}

fn example() -> Command {
    let mut command = Command::new("python3");
    command.arg(existing("guest-examples/native-worker/worker.py"));
    command
}

/// Returns the path of a file or folder of the repository.
fn existing(path: &str) -> String {
    let path = format!("{TOP}/{path}");
    assert!(Path::new(&path).exists(), "no {path}: run `make clients`");
    path
}

async fn does_what_a_worker_does(worker_id: &str, mut command: Command) {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    command.args(["--lease-ttl-ms", "2000"]);
    let worker = NativeWorker::start(&api, worker_id, command, "make clients").await;

    // Longer than its lease, so it has to be renewed.
    let long = vec![json!({"item": "nail", "cents": 10}); 150];
    let id = api.create(invoice(&long)).await;
    let (mut percents, mut ended) = (Vec::new(), Value::Null);
    while ended.is_null() {
        let (_, seen) = api.get(&format!("/v1/executions/{id}")).await;
        percents.extend(seen["progress"]["percent"].as_u64());
        let waited = format!("/v1/executions/{id}/wait?timeout_ms=100");
        let (status, body) = api.get(&waited).await;
        if status == StatusCode::OK {
            ended = body;
        }
    }
    assert_eq!(ended["public_state"], "completed", "{ended}");
    assert_eq!(result(&api, &id).await, json!({"cents": 1500}));
    assert!(
        percents.iter().any(|it| (1..100).contains(it)),
        "{percents:?}"
    );
    let attempts = api.attempts(&id).await;
    assert_eq!(attempts.len(), 1);
    let renewals = &attempts[0]["leases"][0]["renewals"];
    assert!(renewals.as_u64() >= Some(1), "{renewals} renewals");

    let broken = api.run(invoice(&[json!({"item": "rope"})])).await;
    assert_eq!(broken["failure"]["code"], "no_price");
    assert_eq!(broken["failure"]["class"], "permanent");

    for (decision, state) in [("approve", "completed"), ("reject", "failed")] {
        let high = [json!({"item": "ship", "cents": 100_001})];
        let id = api.create(invoice(&high)).await;
        api.until(&id, "suspended").await;
        let decide = format!("/v1/executions/{id}/{decision}");
        let (status, body) = api.post(&decide, json!({"actor": "alice"})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        let ended = api.wait(&id).await;
        assert_eq!(ended["public_state"], state, "{ended}");
        if decision == "approve" {
            let approved = json!({"cents": 100_001, "approved_by": "alice"});
            assert_eq!(result(&api, &id).await, approved);
        } else {
            assert_eq!(ended["failure"]["code"], "rejected");
        }
    }

    let ended = worker.stop().await;
    assert!(ended.success(), "{ended}");
    let left = live(&api, worker_id).await;
    assert!(left.is_empty(), "it stayed in the registry: {left:?}");
    database.assert_invariants().await;
}

fn invoice(lines: &[Value]) -> Value {
    json!({"kind": "invoice", "input": {"lines": lines}})
}

async fn result(api: &Api, id: &str) -> Value {
    let (content_type, result) = api.result(id).await;
    assert_eq!(content_type, "application/json");
    serde_json::from_slice(&result).expect("JSON")
}
