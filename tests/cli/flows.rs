//! Flows on the command line: files, graphs, and what ends with which exit code.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, flowhost, text};
use crate::support::http_work::{claim_one, complete, start};

/// The line that a command printed.
fn line(printed: &str) -> String {
    printed.trim_end().to_owned()
}

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, content).expect("writes");
    path.to_str().expect("text").to_owned()
}

const ECHOES: &str = "\
kind: report
tags: {app.team: data}
members:
  left: {kind: echo, input: {n: 1.50}}
  right: {kind: echo, input_file: right.txt}
  join:
    kind: echo
    input: 3
    needs: [left, {upstream: right, dependency_kind: always, data_passing_ref: r}]
  undo:
    kind: echo
    needs: [{upstream: join, dependency_kind: on_failure}]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_a_flow_that_runs_to_its_end_and_is_drawn() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "right.txt", "hello");
    let file = write(folder.path(), "graph.yaml", ECHOES);
    let (code, said, errors) = flowhost(&api, &["flow", "submit", &file, "--dry-run"]).await;
    assert_eq!(code, 0, "{errors}");
    let foreseen = "it would be created with 4 members and 3 edges";
    assert!(said.contains(foreseen), "{said}");
    let submit = [
        "flow",
        "submit",
        &file,
        "--wait",
        "--tag",
        "app.night=1",
        "--idempotency-key",
        "k",
    ];
    let (code, said, errors) = flowhost(&api, &submit).await;
    assert_eq!(code, 0, "{said}{errors}");
    assert_eq!(line(&said), "completed: 3 completed, 1 skipped");
    let (_, page) = api.get("/v1/flows").await;
    let flow = &page["flows"][0];
    assert_eq!(flow["tags"], json!({"app.team": "data", "app.night": "1"}));
    let id = text(&flow["flow_id"]);
    // Again it is the same flow.
    let (code, again, _) = flowhost(
        &api,
        &submit[..3]
            .iter()
            .chain(&submit[4..])
            .copied()
            .collect::<Vec<_>>(),
    )
    .await;
    assert_eq!((code, line(&again)), (0, id.clone()));
    let (_, members) = api.get(&format!("/v1/flows/{id}/members")).await;
    let of = |at: usize| text(&members["members"][at]["execution"]["id"]);
    assert_eq!(api.result(&of(0)).await.1, br#"{"n":1.50}"#);
    let (media, right) = api.result(&of(1)).await;
    assert_eq!(
        (media.as_str(), right.as_slice()),
        ("text/plain; charset=utf-8", b"hello".as_slice())
    );
    let (code, drawn, _) = flowhost(&api, &["flow", "show", &id]).await;
    assert_eq!(code, 0);
    let expected = format!(
        "\
report {id}
completed: 3 completed, 1 skipped
● left   completed
● right  completed
  │
● join   completed  all_of 2/2  ← ✓ left  ←always ✓ right as r
  │
↷ undo   skipped  all_of 0/1  ←on_failure ✗ join
"
    );
    assert_eq!(drawn, expected);
    let (code, said, _) = flowhost(&api, &["flow", "show", &id, "--watch"]).await;
    assert_eq!(
        (code, line(&said)),
        (0, "completed: 3 completed, 1 skipped".to_owned())
    );
    for (command, expected) in [("members", "undo"), ("edges", "on_failure")] {
        let (code, listed, _) = flowhost(&api, &["flow", command, &id]).await;
        assert_eq!(code, 0);
        assert!(listed.contains(expected), "{listed}");
    }
    let (_, listed, _) = flowhost(&api, &["flow", "edges", &id, "--upstream", &of(2)]).await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let (_, listed, _) = flowhost(
        &api,
        &[
            "flow",
            "list",
            "--status",
            "completed",
            "--tag",
            "app.night=1",
        ],
    )
    .await;
    assert!(listed.contains(&id), "{listed}");
    let (_, listed, _) = flowhost(&api, &["flow", "list", "--status", "failed"]).await;
    assert_eq!(line(&listed), "no flows");
    let (_, labels, _) = flowhost(&api, &["flow", "tag", &id, "app.night-", "app.x=y"]).await;
    assert_eq!(labels, "app.team=data\napp.x=y\n");
    let (_, labels, _) = flowhost(&api, &["flow", "tag", &id]).await;
    assert_eq!(labels, "app.team=data\napp.x=y\n");
    let (code, shown, _) = flowhost(&api, &["--json", "flow", "show", &id]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((code, &shown["flow_id"]), (0, &json!(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_grows_from_a_file_and_ends_with_the_exit_code_of_its_state() {
    let (_database, api) = start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(
        folder.path(),
        "graph.json",
        r#"{"kind": "list", "members": [{"kind": "word", "name": "a"}]}"#,
    );
    let (code, id, errors) = flowhost(&api, &["flow", "submit", &file]).await;
    assert_eq!(code, 0, "{errors}");
    let id = line(&id);
    let more = write(
        folder.path(),
        "more.yaml",
        "expected_graph_revision: 1\nmembers:\n  b: {kind: word, needs: [a], needs_policy: any_of}\n",
    );
    let (code, said, errors) = flowhost(&api, &["flow", "add", &id, &more]).await;
    assert_eq!(code, 0, "{errors}");
    assert_eq!(
        line(&said),
        "the flow has 2 members and 1 edges, at revision 3"
    );
    let (code, _, errors) = flowhost(&api, &["flow", "add", &id, &more]).await;
    assert_eq!(code, 5, "{errors}");
    assert!(errors.contains("graph revision 3"), "{errors}");
    let claimed = claim_one(&api, "w-1").await;
    complete(&api, &text(&claimed["lease"])).await;
    api.until(&text(&claimed["id"]), "completed").await;
    let cancel = [
        "flow",
        "cancel",
        &id,
        "--reason",
        "enough \u{1b}[31m",
        "--wait",
        "20s",
    ];
    let dry: Vec<&str> = cancel[..3].iter().copied().chain(["--dry-run"]).collect();
    let (code, said, _) = flowhost(&api, &dry).await;
    assert_eq!(code, 0);
    assert!(said.contains("dry run: cancelled, cancel_all"), "{said}");
    let (code, said, errors) = flowhost(&api, &cancel).await;
    assert_eq!(code, 0, "{errors}");
    assert!(said.starts_with("cancelled, cancel_all: "), "{said}");
    let (_, again, _) = flowhost(&api, &cancel).await;
    assert!(
        again.starts_with("was cancelled before, cancel_all, for: enough "),
        "{again}"
    );
    assert!(!again.contains('\u{1b}'), "{again:?}");
    let (code, shown, _) = flowhost(&api, &["flow", "show", &id, "--watch"]).await;
    assert_eq!(code, 6, "{shown}");
    let (_, shown, _) = flowhost(&api, &["flow", "show", &id]).await;
    assert!(
        !shown.contains('\u{1b}') && shown.contains("by bob"),
        "{shown:?}"
    );
    let missing = "01990000-0000-7000-8000-000000000000";
    for command in ["show", "members", "edges", "cancel"] {
        let (code, _, errors) = flowhost(&api, &["flow", command, missing]).await;
        assert_eq!(code, 3, "{command}: {errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_a_file_names_its_place_also_when_the_host_finds_it() {
    let (_database, api) = start().await;
    let folder = tempfile::tempdir().expect("a folder");
    for (from, to, code, expected) in [
        (
            "left: {kind",
            "left: {kid",
            2,
            "graph.yaml:4:15: members.left.kid: is not known here",
        ),
        (
            "needs: [left",
            "needs: [lift",
            2,
            "graph.yaml:9:13: members.join.needs[0]: there is no member `lift` in this file",
        ),
        (
            "right.txt",
            "gone.txt",
            2,
            "graph.yaml:5:35: members.right.input_file: cannot read",
        ),
        ("report", "report: x", 2, "graph.yaml:1:13: not YAML"),
        (
            "kind: echo, input: {n",
            "kind: none-such, input: {n",
            9,
            "graph.yaml:4:9: ",
        ),
        ("needs: [left", "needs: [undo", 9, "the edges form a cycle"),
    ] {
        write(folder.path(), "right.txt", "hello");
        let file = write(folder.path(), "graph.yaml", &ECHOES.replacen(from, to, 1));
        let (seen, said, errors) = flowhost(&api, &["flow", "submit", &file]).await;
        assert_eq!((seen, said.as_str()), (code, ""), "{to}: {errors}");
        assert!(errors.contains(expected), "{to}: {errors}");
    }
    let (code, schema, _) = flowhost(&api, &["flow", "schema"]).await;
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(schema["required"], json!(["kind"]));
}
