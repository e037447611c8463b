//! Exit codes, and what is printed beside them.

use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::{database, eventually};

use crate::support::api::{Api, builder, command, flowhost};
use crate::support::http_waiting::{named, waiting};
use crate::support::http_work::{start, word};

/// An id that no execution has.
const MISSING: &str = "01990000-0000-7000-8000-0000000000ab";

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_a_code_of_its_own() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo", "flaky"]).await;
    let once = "{\"retry_policy\": {\"max_retries\": 0}}";
    for (arguments, expected) in [
        (&["submit", "echo", "--input", "1", "--wait"][..], 0),
        // Which the handler takes for something else than it needs.
        (
            &[
                "submit", "flaky", "--input", "\"x\"", "--policy", once, "--wait",
            ],
            1,
        ),
        (&["submit"], 2),
        (&["submit", "echo", "--input", "{"], 2),
        (&["show", MISSING], 3),
        (&["show", MISSING, "--url", "http://127.0.0.1:1"], 4),
        (&["submit", "unheard-of", "--input", "1"], 9),
        (&["submit", "echo", "--input", "1", "--priority", "9001"], 9),
        (
            &[
                "submit",
                "echo",
                "--input",
                "1",
                "--delay",
                "1h",
                "--wait",
                "--timeout",
                "200ms",
            ],
            11,
        ),
    ] {
        let (code, out, err) = match arguments.contains(&"--url") {
            true => command(arguments).await,
            false => flowhost(&api, arguments).await,
        };
        assert_eq!(code, expected, "{arguments:?}: {out}{err}");
    }
    let (_, page) = api.get("/v1/executions?state=delayed").await;
    let id = page["executions"][0]["id"]
        .as_str()
        .expect("one")
        .to_owned();
    for (arguments, expected, says) in [
        (
            &["watch", &id, "--timeout", "100ms"][..],
            11,
            "has not ended within 100 ms",
        ),
        (&["replay", &id], 5, "execution_not_terminal"),
        (
            &["signal", &id, "--name", "x", "--token", "y"],
            7,
            "invalid_token",
        ),
        (&["cancel", &id], 0, ""),
        (&["watch", &id], 6, ""),
    ] {
        let (code, out, err) = flowhost(&api, arguments).await;
        assert_eq!(code, expected, "{arguments:?}: {out}{err}");
        assert!(err.contains(says), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_json_is_the_problem_of_the_host() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let (_, problem) = api
        .post(
            &format!("/v1/executions/{id}/replay"),
            serde_json::json!({}),
        )
        .await;
    let (code, out, err) = flowhost(&api, &["--json", "replay", &id]).await;
    assert_eq!((code, err.as_str()), (5, ""));
    let shown: Value = serde_json::from_str(&out).expect("one value of JSON");
    assert_eq!(shown, problem, "as the host answered it");
    assert_eq!(shown["status"], 409);
    let (_, dry, _) = flowhost(&api, &["--json", "replay", &id, "--dry-run"]).await;
    assert_eq!(dry, out, "and so does a dry run");
    let (code, out, _) = command(&["--json", "--url", "http://127.0.0.1:1", "lane", "list"]).await;
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, &shown["code"]),
        (4, &serde_json::json!("unavailable"))
    );
    assert!(
        shown["status"].is_null() && shown["title"].is_string(),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_stops_waiting_is_told_how_to_continue() {
    let (_database, api) = start().await;
    let (id, _) = waiting(&api, named("door", "open")).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command.args(["--url", api.host.url(), "--json", "watch", &id]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("runs");
    let pid = child.id().to_string();
    // It counts as soon as it has asked, and waits.
    eventually("it waits", async || {
        (api.metric("flowhost_http_in_flight").await >= 2.0).then_some(())
    })
    .await;
    let interrupt = format!("kill -INT {pid}");
    let interrupted = Command::new("sh").args(["-c", &interrupt]).status();
    assert!(interrupted.expect("runs").success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = output.await.expect("ends").expect("ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["code"], "interrupted", "{shown}");
    let detail = shown["detail"].as_str().expect("text");
    assert!(
        detail.contains(&format!("`flowhost watch {id}`")),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_names_every_exit_code() {
    let (code, out, _) = command(&["--help"]).await;
    assert_eq!(code, 0);
    for exit in server::cli::Exit::ALL {
        let line = format!("  {:>3}  ", *exit as u8);
        assert!(out.contains(&line), "{line}: {out}");
    }
}
