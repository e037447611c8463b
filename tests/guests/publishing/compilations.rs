//! Components that take long to compile, or whose compiler fails.

use std::process::Stdio;

use reqwest::StatusCode;
use reqwest::header::{LOCATION, RETRY_AFTER};
use serde_json::{Value, json};
use testkit::{HandmadeComponent, database, eventually, guest};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::compiler::{GATED, KILLED_AT_FIRST, Scripted, digest, large};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_compilation_is_answered_202_and_delays_no_small_one() {
    let database = database().await;
    let host = Scripted::start(&database, GATED, |_| {}).await;
    let place = format!("/v1/components/{}/publish", digest(&large()));
    let response = host.publish(large(), "?kind=large", "respond-async").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()[LOCATION], place.as_str());
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    let working: Value = response.json().await.expect("JSON");
    assert_eq!(working["digest"], json!(digest(&large())));
    eventually("it is being compiled", async || {
        (host.get(&place).await.1["state"] == "compiling").then_some(())
    })
    .await;
    // Another one that is large waits behind it, and says so.
    let second = HandmadeComponent {
        padding: 3 << 20,
        ..HandmadeComponent::default()
    };
    let second = second.build();
    let response = host.publish(second.clone(), "", "respond-async").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    eventually("the second is queued", async || {
        let path = format!("/v1/components/{}/publish", digest(&second));
        let (_, working) = host.get(&path).await;
        let behind = (&working["state"], &working["ahead"], &working["behind"]);
        (behind == (&json!("queued"), &json!(1), &json!(digest(&large())))).then_some(())
    })
    .await;
    // A small one passes both.
    let response = host.publish(guest("echo"), "?kind=echo", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(host.run("echo").await["state"], "completed");
    // The same bytes join, with another kind.
    let response = host.publish(large(), "?kind=more", "wait=0").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(host.metric("flowhost_publishing").await, 2.0);
    host.open_gate();
    let published = eventually("it is published", async || {
        let (status, published) = host.get(&place).await;
        (status != StatusCode::ACCEPTED).then_some((status, published))
    })
    .await;
    assert_eq!(published.0, StatusCode::CREATED, "{}", published.1);
    assert_eq!(published.1["kinds"], json!(["large", "more"]));
    for kind in ["large", "more"] {
        assert_eq!(host.run(kind).await["state"], "completed", "{kind}");
    }
    eventually("all are done", async || {
        (host.metric("flowhost_publishing").await == 0.0).then_some(())
    })
    .await;
    // Three components, each compiled once.
    assert_eq!(host.metric("flowhost_compiles_total").await, 3.0);
    let unknown = format!("/v1/components/{}/publish", digest(b"other"));
    assert_eq!(host.get(&unknown).await.0, StatusCode::NOT_FOUND);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_publication_finishes_after_its_client_left() {
    let database = database().await;
    let host = Scripted::start(&database, GATED, |_| {}).await;
    let gone = tokio::spawn({
        let url = format!("{}/v1/components?kind=large", host.host().url());
        let client = host.client.clone();
        async move { client.post(url).body(large()).send().await.map(|_| ()) }
    });
    eventually("it is being compiled", async || {
        (host.metric("flowhost_compiling").await == 1.0).then_some(())
    })
    .await;
    gone.abort();
    host.open_gate();
    let place = format!("/v1/components/{}/publish", digest(&large()));
    eventually("it is published", async || {
        (host.get(&place).await.0 == StatusCode::CREATED).then_some(())
    })
    .await;
    assert_eq!(host.run("large").await["state"], "completed");
    assert_eq!(host.metric("flowhost_compiles_total").await, 1.0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_waits_and_shows_how_far_it_is() {
    let database = database().await;
    let host = Scripted::start(&database, GATED, |_| {}).await;
    let file = host.folder.path().join("large.wasm");
    std::fs::write(&file, large()).expect("written");
    let file = file.to_str().expect("text").to_owned();
    let mut publishing = tokio::process::Command::new(env!("CARGO_BIN_EXE_flowhost"))
        .args(["--url", &host.host().url()])
        .args(["component", "publish", &file, "--kind", "large"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // The gate opens only when it has said how far it is.
    let mut said = BufReader::new(publishing.stderr.take().expect("piped")).lines();
    loop {
        let line = said.next_line().await.expect("text").expect("it continues");
        if line.contains("large.wasm is being compiled") {
            break;
        }
    }
    host.open_gate();
    let output = publishing.wait_with_output().await.expect("ends");
    assert!(output.status.success(), "{output:?}");
    let out = String::from_utf8(output.stdout).expect("text");
    assert!(out.contains("handles large"), "{out}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_killed_by_the_system_is_a_fault_of_the_host_and_is_tried_again() {
    let database = database().await;
    let host = Scripted::start(&database, KILLED_AT_FIRST, |_| {}).await;
    for _ in 0..2 {
        let response = host.publish(guest("echo"), "?kind=echo", "wait=60").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let problem: Value = response.json().await.expect("JSON");
        assert_eq!(problem["code"], "compiler_unavailable");
        assert!(!problem.to_string().contains("database"), "{problem}");
    }
    let response = host.publish(guest("echo"), "?kind=echo", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(host.run("echo").await["state"], "completed");
    // A host that finds the component published tries again by itself, and no
    // execution fails meanwhile.
    let other = Scripted::start(&database, KILLED_AT_FIRST, |_| {}).await;
    host.stop().await;
    assert_eq!(other.run("echo").await["state"], "completed");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compilation_that_times_out_is_not_remembered_against_the_component() {
    let database = database().await;
    let host = Scripted::start(&database, "kill -XCPU $$", |_| {}).await;
    let response = host.publish(guest("echo"), "", "wait=60").await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["code"], "component_exceeds_limits");
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains("runtime.compile_cpu_ms_max"), "{detail}");
    host.stop().await;
    let other = Scripted::start(&database, "", |_| {}).await;
    let response = other.publish(guest("echo"), "", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    other.stop().await;
}
