//! Executions that wait, on the command line.

use serde_json::{Value, json};

use crate::support::api::{flowhost, text};
use crate::support::http_waiting::{named, waiting};
use crate::support::http_work::{claim_one, complete, start};

#[tokio::test(flavor = "multi_thread")]
async fn people_wait_approve_and_resume_on_the_command_line() {
    let (_database, api) = start().await;
    let yes = || named("approval", "approved");
    let (id, open) = waiting(&api, yes()).await;
    let (code, out, err) = flowhost(&api, &["show", &id]).await;
    assert_eq!(code, 0, "{err}");
    for part in ["waiting_for_signal since", "ByName", "approval", "active"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, err) = flowhost(&api, &["waitpoints", &id]).await;
    assert!(code == 0 && out.contains("approval"), "{out}{err}");
    let (_, out, _) = flowhost(&api, &["waitpoints", &id, "--pending"]).await;
    assert_eq!(out, "no waitpoints\n");
    let (code, _, err) = flowhost(&api, &["approve", &id, "--waitpoint", "none"]).await;
    assert!(
        code == 3 && err.contains("waitpoint_not_found"),
        "{code} {err}"
    );
    let (code, out, err) = flowhost(&api, &["approve", &id, "--as", "alice", "--reject"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        out,
        "accepted; the execution waits for a signal of another name\n"
    );
    let (code, out, err) = flowhost(
        &api,
        &["approve", &id, "--reason", "fine", "--input", "{\"n\": 1}"],
    )
    .await;
    assert_eq!(
        (code, out.as_str()),
        (0, "accepted; the execution resumes\n"),
        "{err}"
    );
    let (_, out, _) = flowhost(&api, &["show", &id]).await;
    for part in [
        "approved at approval from operator bob: resume_condition_satisfied",
        "application/json, 8 B",
        "signal by bob",
        "satisfied after",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (_, out, _) = flowhost(&api, &["--json", "show", &id]).await;
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["suspensions"][0]["close_reason"], "satisfied");
    assert_eq!(shown["waitpoints"][0]["waitpoint_key"], "approval");
    assert_eq!(shown["signals"][1]["source_identity"], "bob");
    let token = text(&open["waitpoint_token"]);
    assert!(!out.contains(&token));
    complete(&api, &text(&claim_one(&api, "w-1").await["lease"])).await;

    let (id, open) = waiting(&api, named("a b", "x")).await;
    let (code, out, err) = flowhost(
        &api,
        &[
            "waitpoints",
            "token",
            &id,
            "a b",
            "--signal",
            "x",
            "--expires-in",
            "1h",
        ],
    )
    .await;
    assert_eq!(code, 0, "{err}");
    let (token, url) = out.trim_end().split_once('\n').expect("two lines");
    assert_eq!(url, format!("{}/v1/callbacks/{token}", api.host.url()));
    let (code, _, err) = flowhost(&api, &["signal", &id, "--token", token, "--name", "y"]).await;
    assert!(code == 7 && err.contains("invalid_token"), "{code} {err}");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{}\n", text(&open["waitpoint_token"]))).expect("written");
    let file = file.to_str().expect("text");
    let send = [
        "signal",
        &id,
        "--token-file",
        file,
        "--name",
        "y",
        "--key",
        "k",
    ];
    let (code, out, err) = flowhost(&api, &send).await;
    assert_eq!(
        (code, out.as_str()),
        (
            0,
            "accepted; the execution waits for a signal of another name\n"
        ),
        "{err}"
    );
    let (_, out, _) = flowhost(&api, &send).await;
    assert_eq!(out, "had been accepted before; nothing changed\n");
    let (code, out, err) = flowhost(&api, &["waitpoint", "close", &id, "a b"]).await;
    assert!(code == 0 && out.starts_with("closed; "), "{out}{err}");
    let operator = [
        "signal",
        &id,
        "--operator",
        "--waitpoint",
        "a b",
        "--name",
        "x",
    ];
    let (code, _, err) = flowhost(&api, &operator).await;
    assert!(
        code == 5 && err.contains("waitpoint_closed"),
        "{code} {err}"
    );
    let (code, out, err) = flowhost(&api, &["resume", &id, "--reason", "enough"]).await;
    assert_eq!(
        (code, out),
        (0, format!("{id} is waiting (waiting_for_worker)\n")),
        "{err}"
    );
    let (code, _, err) = flowhost(&api, &["resume", &id]).await;
    assert!(
        code == 5 && err.contains("execution_not_suspended"),
        "{code} {err}"
    );
    let claimed = claim_one(&api, "w-1").await;
    let create = json!({"lease": claimed["lease"], "waitpoint_key": "early"});
    api.post("/v1/leases/waitpoints", create).await;
    let (_, out, _) = flowhost(&api, &["waitpoints"]).await;
    assert!(out.contains(&id) && out.contains("early"), "{out}");
}
