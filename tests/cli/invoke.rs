//! `flowhost invoke` with handlers that wait: the suspension is printed, and a
//! later call resumes with it.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::guest;

use crate::support::api::command;

const DEPLOYMENT: &str = r#"{"service": "payments", "version": "1.4.2"}"#;

/// Runs a component of this folder; returns exit code, output and errors.
async fn invoke(folder: &TempDir, name: &str, input: &str, more: &[&str]) -> (i32, String, String) {
    let component = folder.path().join(format!("{name}.wasm"));
    if !component.exists() {
        std::fs::write(&component, guest(name)).expect("written");
    }
    let arguments = [&["invoke", text(&component), "--input", input], more].concat();
    command(&arguments).await
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn a_handler_that_suspends_is_invoked_again_with_its_state() {
    let folder = folder();
    let state = folder.path().join("state.json");
    let output = ["--output", text(&state)];
    let (code, out, err) = invoke(&folder, "approval", DEPLOYMENT, &output).await;
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    for part in [
        "suspended: waiting_for_approval at approval, for ",
        ", then escalate\n",
        r#""n":2"#,
        "  state: 2",
        "of application/json in ",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
    let saved = std::fs::read_to_string(&state).expect("the state");
    assert!(json_of(&saved)["at_ms"].is_f64(), "{saved}");

    let saved = format!("@{}", text(&state));
    let alice = r#"{"signal_name": "approved", "source_identity": "alice"}"#;
    let go_on = [
        "--resume-state",
        &saved,
        "--signal",
        alice,
        "--signal",
        "approved",
    ];
    let (code, out, err) = invoke(&folder, "approval", DEPLOYMENT, &go_on).await;
    assert_eq!(code, 0, "{err}");
    let decision = json_of(&out);
    assert_eq!(decision["decided_by"], "approvers");
    assert_eq!(decision["approvers"], json!(["alice", "sender-2"]));
    let took_s = decision["took_s"].as_f64().expect("a number");
    assert!(took_s > 0.0 && took_s < 600.0, "{took_s}");

    let by_hand = ["--resume-state", r#"{"at_ms": 0}"#];
    let (code, out, err) = invoke(&folder, "approval", DEPLOYMENT, &by_hand).await;
    assert_eq!(code, 0, "{err}");
    let decision = json_of(&out);
    assert_eq!(
        (&decision["decided_by"], &decision["approvers"]),
        (&json!("operator"), &json!([]))
    );
    assert!(decision["took_s"].as_f64().expect("a number") > 1e9);
    let late = ["--resume-reason", "timed_out_auto_resume"];
    let (code, _, err) = invoke(&folder, "approval", DEPLOYMENT, &late).await;
    assert!(code == 1 && err.contains("not_approved"), "{code} {err}");
}

#[tokio::test]
async fn the_suspension_of_an_invoked_handler_is_printed_for_programs() {
    let folder = folder();
    let (code, out, err) = invoke(&folder, "approval", DEPLOYMENT, &["--json"]).await;
    assert_eq!(code, 0, "{err}");
    let report = json_of(&out);
    assert_eq!(report["ended"], "recorded");
    let waits = &report["suspension"];
    assert_eq!(waits["reason_code"], "waiting_for_approval");
    assert_eq!(waits["waitpoint_keys"], json!(["approval"]));
    assert_eq!(
        waits["resume_condition"],
        json!({"Composite": {
            "kind": "Count", "n": 2, "count_kind": "DistinctSources",
            "matcher": {"ByName": "approved"}, "waitpoints": ["approval"],
        }})
    );
    assert_eq!(waits["timeout_ms"], 86_400_000);
    assert_eq!(waits["timeout_behavior"], "escalate");
    assert_eq!(waits["state_type"], "application/json");
    let state = waits["state_text"].as_str().expect("text");
    assert_eq!(waits["state_bytes"], state.len());
    let go_on = ["--json", "--resume-state", state, "--signal", "approved"];
    let (_, out, _) = invoke(&folder, "approval", DEPLOYMENT, &go_on).await;
    let report = json_of(&out);
    assert_eq!(
        (&report["ended"], &report["suspension"]),
        (&json!("completed"), &Value::Null)
    );
}

#[tokio::test]
async fn a_signal_carries_json_text_or_a_file() {
    let folder = folder();
    let order = r#"{"order": "A-17"}"#;
    let file = folder.path().join("paid.csv");
    std::fs::write(&file, "paid\n1\n").expect("written");
    let file = format!("callback=@{}", text(&file));
    for (signal, kind, data) in [
        (
            r#"callback={"paid": true}"#,
            "application/json",
            r#"{"paid": true}"#,
        ),
        (&*file, "text/csv", "paid\n1\n"),
        (
            r#"{"signal_name": "callback", "payload": null}"#,
            "application/json",
            "null",
        ),
        (
            r#"{"signal_name": "callback", "payload_base64": "cGFpZA==", "content_type": "x/y",
                "waitpoint_key": "webhook", "source_type": "webhook", "correlation_id": "c"}"#,
            "x/y",
            "paid",
        ),
    ] {
        let arguments = ["--json", "--signal", signal];
        let (code, out, err) = invoke(&folder, "callback", order, &arguments).await;
        assert_eq!(code, 0, "{signal}: {err}");
        let report = json_of(&out);
        assert_eq!(
            (&report["result_type"], &report["result_text"]),
            (&json!(kind), &json!(data))
        );
    }
}

#[tokio::test]
async fn an_impossible_resumption_is_refused_by_name() {
    let folder = folder();
    let large = folder.path().join("large");
    std::fs::write(&large, vec![0; (1 << 20) + 1]).expect("written");
    let (state, brings) = (format!("@{}", text(&large)), format!("x=@{}", text(&large)));
    let many = vec!["--signal=x"; 257];
    let cases: [(&[&str], &str); 15] = [
        (
            &["--resume-state", "hello"],
            "--resume-state is not valid JSON",
        ),
        (&["--resume-state", "@nowhere"], "nowhere"),
        (&["--resume-state", &state], "limits.result_bytes_max"),
        (
            &["--resume-reason", "cancelled"],
            "satisfied, operator_resume, timed_out_auto_resume",
        ),
        (&["--resume-reason", "satisfied"], "add --signal NAME"),
        (
            &["--resume-reason", "operator_resume", "--signal", "x"],
            "leave out --signal",
        ),
        (&["--signal", ""], "signal_name"),
        (&["--signal", "x=hello"], "is not valid JSON"),
        (&["--signal", &brings], "payload: 1048577 bytes"),
        (&["--signal", "{}"], "signal_name"),
        (
            &["--signal", r#"{"signal_name": "x", "name": "x"}"#],
            "unknown field `name`",
        ),
        (
            &["--signal", r#"{"signal_name": "x", "waitpoint_key": ""}"#],
            "waitpoint_key",
        ),
        (
            &["--signal", r#"{"signal_name": "x", "source_identity": ""}"#],
            "source_identity",
        ),
        (
            &[
                "--signal",
                r#"{"signal_name": "x", "payload": 1, "payload_text": "1"}"#,
            ],
            "only one of payload, payload_text and payload_base64",
        ),
        (&many, "--signal: at most 256"),
    ];
    for (arguments, part) in cases {
        let (code, out, err) = invoke(&folder, "approval", DEPLOYMENT, arguments).await;
        let exit = if part == "nowhere" { 3 } else { 2 };
        let good = code == exit && out.is_empty() && err.contains(part);
        assert!(good, "{arguments:?}: {code} {out} {err}");
    }
}
