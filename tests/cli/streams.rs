//! Streams and logs on the command line, also over the end of the host that is followed.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testkit::eventually;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::events::{address, relay};
use crate::support::api::{Api, builder, flowhost, text};
use crate::support::http_waiting::held;
use crate::support::http_work::{claim_one, complete, start};

async fn append(api: &Api, lease: &str, payload: &str, more: Value) -> String {
    let frame = json!({"lease": lease, "frame_type": "word", "payload": payload});
    let frame = crate::support::api::with(frame, more);
    let (status, outcome) = api.post("/v1/leases/frames", frame).await;
    assert_eq!(status, 200, "{outcome}");
    text(&outcome["entry_id"])
}

/// A command that runs, and what it has written so far.
struct Running {
    child: tokio::process::Child,
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flowhost"))
            .args([&["--url", url], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let (out, err) = (Arc::default(), Arc::default());
        let (mut from, sink) = (child.stdout.take().expect("piped"), Arc::clone(&out));
        tokio::spawn(async move { collect(&mut from, &sink).await });
        let (mut from, sink) = (child.stderr.take().expect("piped"), Arc::clone(&err));
        tokio::spawn(async move { collect(&mut from, &sink).await });
        Self { child, out, err }
    }

    fn out(&self) -> String {
        let bytes = self.out.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    async fn shows(&self, wanted: &str) {
        eventually(&format!("{wanted:?} is shown"), async || {
            let shown = self.out();
            assert!(
                wanted.starts_with(&shown),
                "{shown:?} is not the beginning of {wanted:?}"
            );
            (shown == wanted).then_some(())
        })
        .await;
    }

    async fn ends(&mut self) -> (i32, String) {
        let ended = self.child.wait().await.expect("it ends");
        let said = self.err.lock().expect("not poisoned").clone();
        (
            ended.code().expect("exits"),
            String::from_utf8(said).expect("text"),
        )
    }
}

async fn collect(from: &mut (impl tokio::io::AsyncRead + Unpin), sink: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut sink = sink.lock().expect("not poisoned");
        sink.extend_from_slice(&buffer[..count]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_followed_over_hosts_and_attempts_to_the_outcome() {
    let (database, mut api) = start().await;
    let target = Arc::new(Mutex::new(address(&api)));
    let url = relay(Arc::clone(&target)).await;
    let retries = json!({"policy": {"retry_policy": {
        "max_retries": 1, "backoff": {"type": "fixed", "delay_ms": 0},
    }}});
    let (id, lease) = held(&api, retries).await;
    let mut raw = Running::start(&url, &["stream", &id, "--follow", "--raw"]);
    append(&api, &lease, "so ", json!({})).await;
    let patch = json!({"mode": "durable_summary"});
    append(&api, &lease, r#"{"said": 1}"#, patch).await;
    append(&api, &lease, "it\n", json!({"mode": "best_effort"})).await;
    raw.shows("so it\n").await;
    api.host.kill();
    let next = Api::start(builder(&database), &[]).await;
    append(&next, &lease, "goes", json!({})).await;
    *target.lock().expect("not poisoned") = address(&next);
    raw.shows("so it\ngoes").await;
    let fail = json!({"lease": lease, "class": "transient", "code": "busy"});
    let (status, body) = next.post("/v1/leases/fail", fail.clone()).await;
    assert_eq!(status, 200, "{body}");
    let claimed = claim_one(&next, "w-1").await;
    assert_eq!(claimed["attempt"], 1);
    let lease = text(&claimed["lease"]);
    append(&next, &lease, " on", json!({})).await;
    raw.shows("so it\ngoes on").await;
    let fail = json!({"lease": lease, "class": "permanent", "code": "busy"});
    let (status, body) = next.post("/v1/leases/fail", fail).await;
    assert_eq!(status, 200, "{body}");
    let (exit, said) = raw.ends().await;
    assert_eq!(exit, 1, "{said}");
    assert!(
        said.contains("attempt 0 ended (attempt_failure); attempt 1 follows"),
        "{said}"
    );
    let (exit, out, err) = flowhost(
        &next,
        &["stream", &id, "--attempt", "0", "--follow", "--json"],
    )
    .await;
    assert_eq!(exit, 1, "{err}");
    let frames: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let attempts: Vec<_> = frames
        .iter()
        .map(|frame| frame["attempt"].clone())
        .collect();
    assert_eq!(attempts, [0, 0, 0, 0, 1]);
    let (exit, out, _) = flowhost(&next, &["stream", &id]).await;
    assert!(
        exit == 0 && out.lines().count() == 1 && out.ends_with("word   on\n"),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_ends_between_attempts_ends_the_command() {
    let (_database, api) = start().await;
    let later =
        json!({"policy": {"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 600_000}}}});
    let (id, lease) = held(&api, later).await;
    let mut followed = Running::start(api.host.url(), &["stream", &id, "--follow", "--raw"]);
    append(&api, &lease, "a", json!({})).await;
    followed.shows("a").await;
    let fail = json!({"lease": lease, "class": "transient", "code": "busy"});
    let (status, body) = api.post("/v1/leases/fail", fail).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = api
        .post(&format!("/v1/executions/{id}/cancel"), json!({}))
        .await;
    assert!(status.is_success(), "{body}");
    let (exit, said) = followed.ends().await;
    assert_eq!(exit, 6, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_shown_escaped_and_payloads_written_as_they_were_appended() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let first = append(&api, &lease, "a\u{1b}[2J\n", json!({})).await;
    let bytes = json!({"encoding": "base64", "frame_type": "image", "correlation_id": "r7"});
    let second = append(&api, &lease, "/wAB", bytes).await;
    let typed = [
        "lease", "append", &lease, "--type", "word", "--input", "typed",
    ];
    let (exit, out, err) = flowhost(&api, &typed).await;
    assert!(
        exit == 0 && out.contains("appended") && out.contains("frame 3"),
        "{out} {err}"
    );
    let (exit, out, err) = flowhost(&api, &["stream", &id]).await;
    assert_eq!(exit, 0, "{err}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], format!("{first}  word  a\\x1b[2J\\n"));
    assert_eq!(lines[1], format!("{second}  image  for=r7  (3 B)"));
    assert!(lines[2].ends_with("  word  typed"), "{out}");
    let raw = std::process::Command::new(env!("CARGO_BIN_EXE_flowhost"))
        .args(["--url", api.host.url(), "stream", &id, "--raw"])
        .output()
        .expect("it runs");
    assert_eq!(raw.stdout, b"a\x1b[2J\n\xff\x00\x01typed");
    let range = ["stream", &id, "--from", &second, "--to", &second, "--json"];
    let (exit, out, err) = flowhost(&api, &range).await;
    assert_eq!(exit, 0, "{err}");
    let frame: Value = serde_json::from_str(&out).expect("one line");
    assert_eq!(
        (&frame["id"], &frame["fields"]["payload"]),
        (&json!(second), &json!("/wAB"))
    );
    let patch = json!({"mode": "durable_summary"});
    append(&api, &lease, r#"{"n": 1}"#, patch).await;
    let (exit, out, err) = flowhost(&api, &["stream", &id, "--summary"]).await;
    assert_eq!((exit, out.as_str()), (0, "{\"n\":1}\n"), "{err}");
    let (_, out, _) = flowhost(&api, &["stream", &id, "--summary", "--json"]).await;
    let summary: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(summary["version"], 1);
    for (arguments, wanted, said) in [
        (&["stream", &id, "--from", "+"][..], 9, "bare marker"),
        (
            &["stream", &id, "--from", "2", "--to", "1"],
            9,
            "invalid_input",
        ),
        (&["stream", &id, "--follow", "--from", "start"], 2, "--from"),
        (
            &["stream", &id, "--follow", "--after", "end"],
            9,
            "invalid_input",
        ),
        (&["stream", &id, "--after", "5-0"], 2, "--follow"),
        (&["logs", &id, "--after", "x"], 9, "invalid_input"),
    ] {
        let (exit, _, err) = flowhost(&api, arguments).await;
        assert!(
            exit == wanted && err.contains(said),
            "{arguments:?}: {exit} {err}"
        );
    }
    complete(&api, &lease).await;
    let late = [
        "lease", "append", &lease, "--type", "word", "--input", "late",
    ];
    let (exit, _, err) = flowhost(&api, &late).await;
    assert!(exit == 5 && err.contains("stream_closed"), "{exit} {err}");
    let (exit, out, err) = flowhost(
        &api,
        &["stream", &id, "--follow", "--raw", "--after", &second],
    )
    .await;
    assert_eq!((exit, out.as_str()), (0, "typed"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_shown_to_the_outcome() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let mut followed = Running::start(api.host.url(), &["logs", &id, "--follow"]);
    let body = json!({"lease": lease, "result": 1, "log": "one\u{1b}[2J\ntwo"});
    let (status, body) = api.post("/v1/leases/complete", body).await;
    assert_eq!(status, 200, "{body}");
    followed.shows("one\u{1b}[2J\ntwo\n").await;
    assert_eq!(followed.ends().await.0, 0);
    let (exit, out, err) = flowhost(&api, &["--json", "logs", &id]).await;
    assert_eq!(exit, 0, "{err}");
    let line: Value = serde_json::from_str(&out).expect("one line");
    assert_eq!(
        (&line["attempt"], &line["text"]),
        (&json!(0), &json!("one\u{1b}[2J\ntwo"))
    );
    let after = text(&line["cursor"]);
    let (exit, out, err) = flowhost(&api, &["logs", &id, "--after", &after]).await;
    assert_eq!((exit, out.as_str()), (0, ""), "{err}");
}
