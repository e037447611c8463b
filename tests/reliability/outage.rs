//! A database that dies under load: what was acknowledged is there, and the
//! engine serves again when the database is back.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::{Complete, Create, Declined, Engine, Payload, Settings};
use model::{ExecutionId, PublicState};
use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{Answered, eventually};

use crate::support::api::{Api, builder_at};
use crate::support::server::cluster::{cluster, start};
use crate::support::work::try_claim;

/// Kills the server of a cluster, which is then started again.
pub(super) fn kill_postmaster(cluster: &pgserver::Cluster) {
    let pid_file = cluster.data_dir().join("pg/postmaster.pid");
    let text = fs::read_to_string(pid_file).expect("the server runs");
    let pid = text.lines().next().expect("its first line is the pid");
    let status = std::process::Command::new("kill")
        .args(["-9", pid])
        .status();
    assert!(status.expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let (cluster, _folder) = tokio::task::spawn_blocking(cluster).await.expect("started");
    let engine = Engine::connect(Settings::new(cluster.url("flowhost")))
        .await
        .expect("opens");
    engine.define_kind("echo").await.accepted();
    let stop = Arc::new(AtomicBool::new(false));
    let creating: Vec<_> = (0..16)
        .map(|_| {
            let (engine, stop) = (engine.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut acknowledged: Vec<ExecutionId> = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let create = Create::new("echo", Payload::new("text/plain", "x"));
                    match engine.create(create).await {
                        Ok(created) => acknowledged.push(created.id()),
                        Err(declined) => assert_unavailable(declined),
                    }
                }
                acknowledged
            })
        })
        .collect();
    let completing = {
        let (engine, stop) = (engine.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut acknowledged: Vec<ExecutionId> = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                for claimed in try_claim(&engine, 50).await.unwrap_or_default() {
                    let complete = Complete {
                        fence: claimed.fence,
                        result: claimed.input,
                        report: Default::default(),
                    };
                    match engine.complete(complete).await {
                        Ok(()) => acknowledged.push(claimed.fence.execution_id),
                        Err(declined) => assert_unavailable(declined),
                    }
                }
            }
            acknowledged
        })
    };
    for round in 1..=3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        kill_postmaster(&cluster);
        eventually("the server is back", async || {
            (cluster.restarts() >= round && engine.ping().await.is_ok()).then_some(())
        })
        .await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut created = 0;
    for creating in creating {
        for id in creating.await.expect("no creator panics") {
            created += 1;
            assert!(
                engine.get(id, None).await.answered().is_some(),
                "{id} was acknowledged"
            );
        }
    }
    let completed = completing.await.expect("no completer panics");
    for id in &completed {
        let info = engine.get(*id, None).await.answered().expect("known");
        assert_eq!(info.public_state, PublicState::Completed);
    }
    assert!(
        created > 100 && completed.len() > 20,
        "{created} and {}",
        completed.len()
    );
    engine.close().await;
    tokio::task::spawn_blocking(|| cluster.stop())
        .await
        .expect("joined")
        .expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_get_503_while_the_database_is_down_and_succeed_after() {
    let (cluster, folder) = tokio::task::spawn_blocking(cluster).await.expect("started");
    let api = Api::start(builder_at(&cluster.url("flowhost")), &["echo"]).await;
    let create = |key: &str| json!({"kind": "echo", "input_text": "x", "idempotency_key": key});
    let (status, before) = api
        .ask(Method::POST, "/v1/executions", Some(create("before")))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{before}");

    let cluster = tokio::task::spawn_blocking(|| cluster.stop()).await;
    cluster.expect("joined").expect("stops");
    for (method, path, body) in [
        (Method::POST, "/v1/executions", Some(create("during"))),
        (Method::GET, "/v1/executions", None),
        (Method::GET, "/readyz", None),
    ] {
        let (status, problem) = api.ask(method, path, body).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {problem}");
        let code = problem["code"].as_str().expect("a code");
        assert!(["unavailable", "not_ready"].contains(&code), "{problem}");
    }
    assert_eq!(api.get("/healthz").await.0, StatusCode::OK);

    let path = folder.path().to_owned();
    let again = tokio::task::spawn_blocking(move || start(&path)).await;
    let again = again.expect("started");
    eventually("the host is ready again", async || {
        (api.get("/readyz").await.0 == StatusCode::OK).then_some(())
    })
    .await;
    let (status, during) = api
        .ask(Method::POST, "/v1/executions", Some(create("during")))
        .await;
    assert!(status.is_success(), "{during}");
    for execution in [&before, &during] {
        let info = api.wait(execution["id"].as_str().expect("an id")).await;
        assert_eq!(info["public_state"], "completed", "{info}");
    }
    drop(api);
    tokio::task::spawn_blocking(|| again.stop())
        .await
        .expect("joined")
        .expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_durability_is_rejected() {
    let database = testkit::database().await;
    let refused = Engine::connect(Settings {
        allow_unsafe: false,
        ..database.settings()
    })
    .await
    .expect_err("the server of the tests runs without fsync");
    assert!(refused.to_string().contains("fsync = off"), "{refused}");
}

/// The verb refuses nothing here; the server may be gone.
fn assert_unavailable<R: std::fmt::Debug>(declined: Declined<R>) {
    let fault = declined.refusal().expect_err("nothing is refused");
    assert!(fault.is_unavailable(), "{fault}");
}
