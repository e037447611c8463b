//! `flowhost list` and `watch`: their filters, and lists that take several requests.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use model::PublicState;
use serde_json::Value;
use testkit::{Answered as _, Database, database};
use time::Duration;

use crate::support::api::{Api, builder, flowhost};
use crate::support::lists::population::{Written, write};
use crate::support::work::{create, now};

/// A host with so many completed executions of the last days, the first the oldest.
async fn completed(count: u32) -> (Database, Api, Vec<Written>) {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let begin = now(&database).await - Duration::days(9);
    let all = (0..count)
        .map(|n| Written::at(begin + Duration::minutes(n.into()), n, 0))
        .map(|one| Written {
            state: PublicState::Completed,
            finished_at: Some(one.created_at),
            ..one
        });
    (database, api, all.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_takes_as_many_requests_as_it_needs_and_says_when_it_stops() {
    let (database, api, mut all) = completed(10_300).await;
    for n in [3, 2_000, 10_299] {
        all[n].creator = Some("carol");
    }
    write(&database, &all).await;
    let carol = |n: usize| all[n].id.to_string();
    let list = ["list", "--creator", "carol", "-n"];
    // More than one request may look at, and fewer than a list may.
    let (code, out, errors) = flowhost(&api, &[&list[..], &["2"]].concat()).await;
    assert_eq!(code, 0, "{errors}");
    assert!(
        out.contains(&carol(10_299)) && out.contains(&carol(2_000)),
        "{out}"
    );
    assert!(!out.contains("looked at"), "{out}");
    let (_, out, _) = flowhost(&api, &[&["--json"][..], &list[..], &["2"]].concat()).await;
    let whole: Value = serde_json::from_str(&out).expect("one page");
    let ids: Vec<_> = whole["executions"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(ids.len(), 2, "{out}");

    let (_, out, _) = flowhost(&api, &[&list[..], &["5"]].concat()).await;
    assert!(
        out.contains("looked at 10000 executions, found 2; more may follow"),
        "{out}"
    );
    let (_, cursor) = out
        .split_once("more with --after ")
        .expect("where it stopped");
    let more = [
        "list",
        "--creator",
        "carol",
        "-n",
        "5",
        "--after",
        cursor.trim(),
    ];
    let (code, out, errors) = flowhost(&api, &more).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains(&carol(3)) && !out.contains("more"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_by_states_and_times() {
    let (database, api, mut all) = completed(6).await;
    let now = now(&database).await;
    for (n, hours) in [(3, 50), (4, 3), (5, 1)] {
        all[n] = Written {
            state: if n == 4 {
                PublicState::Failed
            } else {
                PublicState::Cancelled
            },
            ..Written::at(now - Duration::hours(hours), n as u32, 0)
        };
        all[n].finished_at = Some(now - Duration::minutes(30 + n as i64));
    }
    write(&database, &all).await;
    for (arguments, shown) in [
        (&["--state", "failed,cancelled"][..], &[5, 4, 3][..]),
        (&["--state", "failed", "--since", "4h"], &[4]),
        (&["--since", "2d"], &[5, 4]),
        (&["--since", "51h", "--until", "2h"], &[4, 3]),
        (&["--finished-since", "1h"], &[3, 4, 5]),
        (&["--finished-until", "1d", "-n", "2"], &[2, 1]),
        (
            &["--kind", "echo", "--lane", "default", "--since", "2h"],
            &[5],
        ),
    ] {
        let (code, out, errors) =
            flowhost(&api, &[&["--json", "list"][..], arguments].concat()).await;
        assert_eq!(code, 0, "{arguments:?}: {errors}");
        let page: Value = serde_json::from_str(&out).expect("a page");
        let rows = page["executions"].as_array().expect("a list");
        let ids: Vec<_> = rows
            .iter()
            .map(|row| row["id"].as_str().expect("text"))
            .collect();
        let expected: Vec<_> = shown
            .iter()
            .map(|n: &usize| all[*n].id.to_string())
            .collect();
        assert_eq!(ids, expected, "{arguments:?}");
    }
    for wrong in [
        &["--since", "yesterday"][..],
        &["--state", "nonsense"],
        &["--tag", "x"],
    ] {
        let (code, _, errors) = flowhost(&api, &[&["list"][..], wrong].concat()).await;
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(wrong[0]), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_filter_admits_is_watched() {
    let (database, api, mut all) = completed(3).await;
    all[1].state = PublicState::Failed;
    write(&database, &all).await;
    let id = all[1].id.to_string();
    for json in [true, false] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
        command.args(json.then_some("--json"));
        command.args(["watch", "--state", "failed", "--url", api.host.url()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut watch = command.spawn().expect("it starts");
        let out = watch.stdout.take().expect("piped");
        let line = tokio::task::spawn_blocking(move || BufReader::new(out).lines().next());
        let line = line.await.expect("read").expect("a line").expect("text");
        watch.kill().expect("it runs until it is stopped");
        watch.wait().expect("ended");
        assert!(line.contains(&id) && line.contains("failed"), "{line}");
        assert_eq!(line.starts_with('{'), json, "{line}");
    }
    let both = ["watch", &id, "--state", "failed"];
    let (code, _, errors) = flowhost(&api, &both).await;
    assert_eq!(code, 2, "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_watched_is_read_again_when_something_happens() {
    /// Less than the time after which it is read again without an event.
    const WITHIN: Duration = Duration::seconds(4);
    let (database, api, _) = completed(1).await;
    let engine = database.engine().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command.args([
        "watch",
        "--kind",
        "echo",
        "--state",
        "waiting",
        "--url",
        api.host.url(),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut watch = command.spawn().expect("it starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    // One at a time, so that each has to be noticed by itself.
    for _ in 0..3 {
        let id = engine.create(create("x")).await.accepted().id();
        let began = Instant::now();
        let line = tokio::task::spawn_blocking(move || (lines.next(), lines));
        let (line, rest) = line.await.expect("read");
        lines = rest;
        let line = line.expect("a line").expect("text");
        assert!(line.contains(&id.to_string()), "{line}");
        assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
    }
    watch.kill().expect("it runs until it is stopped");
    watch.wait().expect("ended");
}
