//! Every command that reads or changes what a host has, as a newcomer would use it, and
//! what it says about input that is not valid.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::eventually;

use crate::support::api::{Api, flowhost, text, with};
use crate::support::http_waiting::{held, named, waiting};
use crate::support::http_work::{claim_one, complete, start, word};

/// Runs a command that must succeed; returns its output.
async fn ok(api: &Api, arguments: &[&str]) -> String {
    let (code, out, err) = flowhost(api, arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {out}{err}");
    out
}

/// Runs a command that must fail so, and say this.
async fn fails(api: &Api, arguments: &[&str], expected: i32, says: &str) {
    let (code, out, err) = flowhost(api, arguments).await;
    assert_eq!(code, expected, "{arguments:?}: {out}{err}");
    assert!(err.contains(says), "{arguments:?}: {out}{err}");
}

async fn json(api: &Api, arguments: &[&str]) -> Value {
    let out = ok(api, &[&["--json"][..], arguments].concat()).await;
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
}

/// Runs a command with something on its standard input.
async fn piped(api: &Api, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command.args(["--url", api.host.url()]).args(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let run = move || {
        let mut child = command.spawn().expect("runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        child.wait_with_output().expect("ends")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code().expect("exits"),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_created_with_all_that_http_takes() {
    let (_database, api) = start().await;
    let policy = r#"{"retry_policy": {"max_retries": 2}}"#;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.json");
    std::fs::write(&file, policy).expect("written");
    let submit = [
        "submit",
        "word",
        "--input",
        "{\"n\":1}",
        "--creator",
        "alice",
        "--delay-until",
        "2099-01-01T00:00:00Z",
        "--deadline",
        "2100-01-01T00:00:00Z",
        "--policy-file",
        file.to_str().expect("text"),
        "--key",
        "k-1",
        "--tag",
        "app.a=b",
    ];
    let rehearsed = ok(&api, &[&submit[..], &["--dry-run"][..]].concat()).await;
    assert_eq!(
        rehearsed,
        "dry run: it would be created, delayed; nothing was changed\n"
    );
    let id = ok(&api, &submit).await.trim().to_owned();
    let again = ok(&api, &[&submit[..], &["--dry-run"][..]].concat()).await;
    assert!(
        again.contains(&format!("it exists already as {id}")),
        "{again}"
    );
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["public_state"], "delayed", "{info}");
    assert_eq!(info["creator"], "alice", "{info}");
    assert!(
        text(&info["deadline_at"]).starts_with("2100-01-01"),
        "{info}"
    );
    assert_eq!(ok(&api, &["input", &id]).await, "{\"n\":1}");
    let policy = json(&api, &["policy", &id]).await;
    assert_eq!(policy["retry_policy"]["max_retries"], 2, "{policy}");
    assert!(
        ok(&api, &["policy", &id])
            .await
            .contains("\"max_retries\": 2")
    );
    let kept = dir.path().join("input");
    let kept = kept.to_str().expect("text");
    assert_eq!(ok(&api, &["input", &id, "--output", kept]).await, "");
    assert_eq!(std::fs::read_to_string(kept).expect("written"), "{\"n\":1}");
    // A version 7 UUID of partition 0.
    let own = "01990000-0000-7000-8000-0000000000aa";
    let mine = ok(&api, &["submit", "word", "--input", "1", "--id", own]).await;
    assert_eq!(mine.trim(), own);

    let late = [
        "submit",
        "word",
        "--input",
        "1",
        "--delay-until",
        "tomorrow",
    ];
    fails(&api, &late, 9, "delay_until").await;
    let both = [
        "submit",
        "word",
        "--input",
        "1",
        "--delay",
        "5s",
        "--delay-until",
        "x",
    ];
    fails(&api, &both, 2, "cannot be used with").await;
    fails(
        &api,
        &["submit", "unheard-of", "--input", "1"],
        9,
        "unknown_kind",
    )
    .await;
    fails(
        &api,
        &["submit", "word", "--input", "1", "--policy", "{"],
        9,
        "invalid_policy_json",
    )
    .await;
    fails(
        &api,
        &["input", "01990000-0000-7000-8000-0000000000ab"],
        3,
        "no execution",
    )
    .await;
    fails(&api, &["policy", "x"], 2, "not a valid id").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_lines_becomes_executions() {
    let (_database, api) = start().await;
    let line = |n: u32| json!({"kind": "word", "input": n, "idempotency_key": format!("k-{n}")});
    let mut lines: String = (0..1200).map(|n| format!("{}\n", line(n))).collect();
    let rehearsed = piped(&api, &["batch", "-", "--dry-run"], &lines).await;
    let expected = "dry run: 1200 created, 0 existed before, 0 refused; nothing was changed\n";
    assert_eq!(
        (rehearsed.0, &*rehearsed.1),
        (0, expected),
        "{}",
        rehearsed.2
    );
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("lines");
    std::fs::write(&file, &lines).expect("written");
    let file = file.to_str().expect("text");
    let created = ok(&api, &["batch", file, "--skip", "200"]).await;
    assert_eq!(created, "1000 created, 0 existed before, 0 refused\n");
    let created = ok(&api, &["batch", file]).await;
    assert_eq!(created, "200 created, 1000 existed before, 0 refused\n");
    lines = format!(
        "{}\n\nnonsense\n{{\"kind\": \"unheard-of\"}}\n{}",
        line(0),
        line(9_999)
    );
    let (code, out, err) = piped(&api, &["batch", "-"], &lines).await;
    assert_eq!(code, 12, "{err}");
    assert_eq!(out, "1 created, 1 existed before, 2 refused\n");
    assert!(err.contains("line 3: the line is not JSON"), "{err}");
    assert!(
        err.contains("line 4: ") && err.contains("unknown_kind"),
        "{err}"
    );
    let (_, out, _) = piped(&api, &["--json", "batch", "-"], &lines).await;
    let verdicts: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let shown: Vec<_> = verdicts
        .iter()
        .map(|it| (&it["line"], &it["status"]))
        .collect();
    let expected = [(1, 200), (3, 400), (4, 422), (5, 200)].map(|(a, b)| (json!(a), json!(b)));
    let expected: Vec<_> = expected.iter().map(|(a, b)| (a, b)).collect();
    assert_eq!(shown, expected, "{out}");
    fails(&api, &["batch", "/nowhere"], 3, "cannot read /nowhere").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_about_an_execution_is_listed() {
    let (_database, api) = start().await;
    let (id, _) = waiting(&api, named("door", "approved")).await;
    let out = ok(&api, &["suspended"]).await;
    assert!(
        out.contains(&id) && out.contains("waiting_for_signal"),
        "{out}"
    );
    assert_eq!(
        json(&api, &["suspended", "-n", "1"]).await["executions"][0]["execution_id"],
        id.as_str()
    );
    assert_eq!(
        ok(&api, &["suspended", "--namespace", "other"]).await,
        "nothing is suspended\n"
    );
    ok(&api, &["approve", &id, "--reason", "fine"]).await;
    complete(&api, &text(&claim_one(&api, "w-1").await["lease"])).await;
    for (command, words) in [
        ("attempts", &["attempt 0 (initial)", "success on w-1"][..]),
        (
            "history",
            &["WHAT", "created", "acquired", "suspended", "signal"],
        ),
        ("operations", &["signal by bob", "fine"]),
        ("signals", &["approved at door from operator bob"]),
        (
            "suspensions",
            &["waiting_for_signal since", "satisfied after"],
        ),
    ] {
        let out = ok(&api, &[command, &id]).await;
        for word in words {
            assert!(out.contains(word), "{command}: {word}: {out}");
        }
        let shown = json(&api, &[command, &id]).await;
        assert!(
            shown[command].as_array().is_some_and(|it| !it.is_empty()),
            "{shown}"
        );
        fails(
            &api,
            &[command, "01990000-0000-7000-8000-0000000000ab"],
            3,
            "no execution",
        )
        .await;
    }
    let fresh = api.create(word("x")).await;
    assert_eq!(ok(&api, &["attempts", &fresh]).await, "no attempt yet\n");
    assert_eq!(ok(&api, &["signals", &fresh]).await, "no signals\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_and_grants_are_used_by_hand() {
    let (_database, api) = start().await;
    let nothing = ok(&api, &["lease", "claim", "w-1", "--kind", "word"]).await;
    assert_eq!(nothing, "nothing is ready\n");
    let create = async || api.create(with(word("x"), json!({"priority": 5}))).await;
    let claim = async || {
        let claimed = json(
            &api,
            &["lease", "claim", "w-1", "--kind", "word", "--wait", "5s"],
        );
        text(&claimed.await["executions"][0]["lease"])
    };
    let id = create().await;
    let out = ok(&api, &["lane", "eligible", "default"]).await;
    assert!(out.contains(&id) && out.contains("PRIORITY"), "{out}");
    let out = ok(&api, &["lease", "claim", "w-1", "--kind", "word"]).await;
    let (line, lease) = out.trim().split_once('\n').expect("two lines");
    assert!(line.starts_with(&id), "{out}");
    for (arguments, says) in [
        (&["renew", lease, "--ttl", "1m"][..], "renewed until"),
        (
            &["progress", lease, "--percent", "50", "--message", "half"],
            "noted",
        ),
        (&["delay", lease, "2h"], "delayed, due"),
    ] {
        let out = ok(&api, &[&["lease"][..], arguments].concat()).await;
        assert!(out.contains(says), "{out}");
    }
    fails(&api, &["lease", "renew", lease], 5, "execution_not_active").await;
    fails(&api, &["lease", "renew", "nonsense"], 9, "invalid_handle").await;
    for (verb, says) in [
        (&["complete", "--input", "1"][..], "completed"),
        (&["fail", "--code", "busy", "later"], "retry_scheduled, due"),
        (&["release"], "released"),
        (&["wait-children"], "waiting"),
        (&["cancel", "--reason", "no"], "cancelled"),
    ] {
        let id = create().await;
        let lease = claim().await;
        let arguments = [&["lease", verb[0], &lease][..], &verb[1..]].concat();
        let out = ok(&api, &arguments).await;
        assert!(out.contains(says), "{arguments:?}: {out}");
        flowhost(&api, &["cancel", &id]).await;
    }
    let out = ok(&api, &["lease", "expired"]).await;
    assert!(out.starts_with("no lease has expired"), "{out}");

    let to = ["--worker", "w", "--instance", "w-1", "--capability", "ear"];
    let id = create().await;
    let out = ok(&api, &[&["grant", "issue", &id][..], &to[..]].concat()).await;
    let (line, grant) = out.trim().split_once('\n').expect("two lines");
    assert!(
        line.starts_with(&format!("claim grant of {id} until")),
        "{out}"
    );
    let twice = [&["grant", "issue", &id][..], &to[..]].concat();
    fails(&api, &twice, 5, "grant_already_exists").await;
    let out = ok(&api, &["grant", "redeem", grant]).await;
    assert!(out.starts_with(&id), "{out}");
    fails(&api, &["grant", "redeem", grant], 5, "grant").await;
    let next = [&["grant", "next", "default", "--kind", "word"][..], &to[..]].concat();
    assert_eq!(ok(&api, &next).await, "nothing fits the worker\n");
    let id = create().await;
    assert!(ok(&api, &next).await.contains(&id));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_lanes_and_workers_are_set_and_listed() {
    let (_database, api) = start().await;
    let digest = text(&json(&api, &["component", "list"]).await["components"][0]["digest"]);
    let short = &digest["sha256:".len()..][..10];
    let out = ok(&api, &["kind", "list"]).await;
    assert!(
        out.contains("word") && out.contains("native workers"),
        "{out}"
    );
    assert!(out.contains("echo") && out.contains("=1"), "{out}");
    let would = "dry run: defined; nothing was changed\n";
    assert_eq!(
        ok(&api, &["kind", "define", "new", "--dry-run"]).await,
        would
    );
    assert_eq!(ok(&api, &["kind", "define", "new"]).await, "defined\n");
    assert_eq!(
        ok(&api, &["kind", "define", "new"]).await,
        "was defined before\n"
    );
    let route = format!("{short}=30");
    let out = ok(&api, &["kind", "route", "new", &route]).await;
    assert_eq!(out, "routed to one component\n");
    let kinds = json(&api, &["kind", "list"]).await;
    let kinds = kinds["kinds"].as_array().expect("a list");
    let new = kinds.iter().find(|it| it["name"] == "new").expect("new");
    assert_eq!(new["routes"][0]["weight"], 30, "{new}");
    let out = ok(&api, &["kind", "route", "new", "--none", "--dry-run"]).await;
    assert_eq!(
        out,
        "dry run: routed to no component; nothing was changed\n"
    );
    fails(
        &api,
        &["kind", "route", "new", "ffff"],
        3,
        "no component ffff",
    )
    .await;
    fails(
        &api,
        &["kind", "route", "new", &format!("{short}=many")],
        2,
        "a weight is",
    )
    .await;
    let unknown = format!("sha256:{}", "0".repeat(64));
    fails(
        &api,
        &["kind", "route", "new", &unknown],
        9,
        "unknown_component",
    )
    .await;
    let out = ok(&api, &["component", "publication", &digest]).await;
    assert_eq!(out, format!("{digest} is published\n"));

    let out = ok(
        &api,
        &["lane", "set", "night", "--state", "paused", "--dry-run"],
    )
    .await;
    assert!(out.starts_with("dry run: set; "), "{out}");
    assert!(!ok(&api, &["lane", "list"]).await.contains("night"));
    let out = ok(&api, &["worker", "retire", "w-1", "--dry-run"]).await;
    assert_eq!(out, "dry run: retired; nothing was changed\n");
    assert_eq!(ok(&api, &["worker", "retire", "w-1"]).await, "retired\n");
    fails(&api, &["worker", "show", "w-1"], 3, "not_registered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_answers_and_exits_as_the_command_would() {
    let (_database, api) = start().await;
    let (id, _) = held(&api, json!({})).await;
    for (arguments, code, says) in [
        (
            &["cancel", &id][..],
            0,
            "dry run: cancelled; it was running and lost its lease",
        ),
        (&["expire", &id], 0, "is expired; nothing was changed"),
        (&["override", "delay", &id, "1h"], 0, "is delayed"),
        (&["override", "fail", &id, "no"], 0, "is failed"),
        (&["revoke", &id], 0, ": revoked; nothing was changed"),
        (&["tag", &id, "app.a=b"], 0, "app.a=b\ndry run"),
        (&["replay", &id], 5, "execution_not_terminal"),
        (&["hold", &id], 5, "execution_not_eligible"),
        (&["resume", &id], 5, "execution_not_suspended"),
        (&["priority", &id, "9001"], 9, "priority"),
        (&["approve", &id], 3, "waitpoint_not_found"),
    ] {
        let arguments = [arguments, &["--dry-run"][..]].concat();
        let (given, out, err) = flowhost(&api, &arguments).await;
        assert_eq!(given, code, "{arguments:?}: {out}{err}");
        assert!(
            out.contains(says) || err.contains(says),
            "{arguments:?}: {out}{err}"
        );
    }
    let foreseen = json(&api, &["cancel", &id, "--dry-run"]).await;
    assert_eq!(foreseen["was_active"], true, "{foreseen}");
    let info = api.until(&id, "active").await;
    assert!(info["tags"]["app.a"].is_null(), "nothing happened: {info}");
    ok(&api, &["cancel", &id, "--source", "tests"]).await;
    eventually("it is cancelled", async || {
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        (info["public_state"] == "cancelled").then_some(())
    })
    .await;
}
