//! Events on the command line, also over the end of the host that is followed.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testkit::eventually;
use tokio::io::{AsyncBufReadExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::support::api::{Api, builder, flowhost, text};
use crate::support::http_work::{claim_one, complete, start, word};

async fn done(api: &Api) -> String {
    let id = api.create(word("x")).await;
    complete(api, &text(&claim_one(api, "w-1").await["lease"])).await;
    id
}

/// Passes connections to the host at an address that may change.
pub(super) async fn relay(target: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.expect("a connection");
            let target = target.lock().expect("not poisoned").clone();
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(target).await {
                    // Either end may be gone.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    format!("http://{address}")
}

/// Where a host listens.
pub(super) fn address(api: &Api) -> String {
    api.host.url().trim_start_matches("http://").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_followed_over_the_end_of_a_host_without_gap_or_repeat() {
    let (database, mut api) = start().await;
    let target = Arc::new(Mutex::new(address(&api)));
    let url = relay(Arc::clone(&target)).await;
    let mut ids = vec![done(&api).await];
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowhost"))
        .args(["--json", "--url", &url, "events", "completion", "--follow"])
        .args(["--since", "beginning"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let shown = Arc::new(Mutex::new(Vec::new()));
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let sink = Arc::clone(&shown);
    tokio::spawn(async move {
        while let Some(line) = lines.next_line().await.expect("text") {
            let event: Value = serde_json::from_str(&line).expect("JSON");
            let id = text(&event["execution_id"]);
            sink.lock().expect("not poisoned").push(id);
        }
    });
    let is_shown = async |ids: &[String]| {
        eventually(&format!("{} events are shown", ids.len()), async || {
            let shown = shown.lock().expect("not poisoned").clone();
            (shown.len() >= ids.len()).then_some(())
        })
        .await;
    };
    ids.push(done(&api).await);
    is_shown(&ids).await;
    api.host.kill();
    let next = Api::start(builder(&database), &[]).await;
    ids.push(done(&next).await);
    *target.lock().expect("not poisoned") = address(&next);
    is_shown(&ids).await;
    ids.push(done(&next).await);
    is_shown(&ids).await;
    let pid = child.id().expect("it runs").to_string();
    let interrupted = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(interrupted.expect("kill runs").success());
    let ended = child.wait().await.expect("it ends");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(*shown.lock().expect("not poisoned"), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_shown_line_by_line_and_refusals_have_their_exit_codes() {
    let (database, api) = start().await;
    let ids = [done(&api).await, done(&api).await];
    database.events_are_readable().await;
    let (code, out, err) = flowhost(&api, &["events", "completion"]).await;
    assert_eq!(code, 0, "{err}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    for (line, id) in lines.iter().zip(&ids) {
        assert!(
            line.contains(id.as_str()) && line.contains("success"),
            "{line}"
        );
        assert!(line.contains("kind=word"), "{line}");
    }
    let first = ["events", "lease_history", "--limit", "1"];
    let (code, out, err) = flowhost(&api, &first).await;
    assert_eq!(code, 0, "{err}");
    let more = out.lines().nth(1).expect("how to continue");
    let cursor = more.strip_prefix("more with --since ").expect("a cursor");
    let rest = ["--json", "events", "lease_history", "--since", cursor];
    let (code, out, err) = flowhost(&api, &rest).await;
    assert_eq!(code, 0, "{err}");
    let event = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["event"].clone();
    let rest: Vec<_> = out.lines().map(event).collect();
    assert_eq!(
        rest,
        [json!("released"), json!("acquired"), json!("released")]
    );
    let (_, out, _) = flowhost(&api, &["events", "completion", "--since", "now"]).await;
    assert_eq!(out, "");
    for (arguments, wanted, said) in [
        (
            &["events", "completion", "--since", "x"][..],
            9,
            "invalid_cursor",
        ),
        (&["events", "completions"], 2, "completions"),
        (
            &["events", "completion", "--tag", "x"],
            2,
            "owner.name=value",
        ),
    ] {
        let (code, _, err) = flowhost(&api, arguments).await;
        assert!(code == wanted && err.contains(said), "{code} {err}");
    }
}
