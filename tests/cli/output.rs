//! The command line where it cannot write, is given bytes that are not text, or finds a
//! proxy in its environment.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, once, text};

/// Runs a command with this standard output; returns its exit code and errors.
async fn run(api: &Api, arguments: &[&str], out: impl Into<Stdio>) -> (i32, String) {
    let mut command = flowhost(api, arguments);
    command.stdout(out);
    ended(command).await
}

fn flowhost(api: &Api, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command.args(["--url", api.host.url()]).args(arguments);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

async fn ended(mut command: Command) -> (i32, String) {
    let output = tokio::task::spawn_blocking(move || {
        let child = command.spawn().expect("starts");
        // What it holds of a pipe must not keep that open.
        drop(command);
        child.wait_with_output().expect("ends")
    });
    let output = output.await.expect("runs");
    let errors = String::from_utf8(output.stderr).expect("text");
    (output.status.code().expect("exits"), errors)
}

fn full() -> std::fs::File {
    OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_device_fails_the_command_and_loses_no_result() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let info = api.run(once("echo", "kept")).await;
    let id = text(&info["id"]);
    for arguments in [
        &["list"][..],
        &["--json", "list"],
        &["show", &id],
        &["--json", "show", &id],
        &["watch", &id],
        &["lane", "list"],
        &["component", "list"],
        &["waitpoints"],
        &["worker", "list"],
        &["doctor"],
        &["--help"],
        &["--version"],
        &["submit", "--help"],
    ] {
        let (code, errors) = run(&api, arguments, full()).await;
        assert_eq!(code, 8, "{arguments:?}: {errors}");
        assert!(
            errors.contains("No space left on device"),
            "{arguments:?}: {errors}"
        );
    }
    let submit = ["submit", "echo", "--input", "1"];
    let (code, errors) = run(&api, &submit, full()).await;
    let newest = api.get("/v1/executions?limit=1").await.1;
    let newest = text(&newest["executions"][0]["id"]);
    assert_eq!(code, 8, "{errors}");
    assert!(errors.contains(&newest), "its id is not lost: {errors}");
    let to_file = ["--wait", "--output", "/dev/full"];
    for more in [&["--wait"][..], &["--wait", "--json"], &to_file] {
        let (code, errors) = run(&api, &[&submit[..], more].concat(), full()).await;
        assert_eq!(code, 8, "{more:?}: {errors}");
        let (_, hint) = errors.split_once("`flowhost result ").expect("where it is");
        let id = hint.split('`').next().expect("an id");
        let (code, out, errors) = crate::support::api::flowhost(&api, &["result", id]).await;
        assert_eq!((code, out.as_str()), (0, "1"), "{errors}");
    }
    let (code, errors) = run(&api, &["result", &id], full()).await;
    assert_eq!(code, 8, "{errors}");
    let missing = "00000000-0000-7000-8000-000000000000";
    let (code, _, errors) = crate::support::api::flowhost(&api, &["result", missing]).await;
    assert_eq!(code, 3, "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_silently_when_its_reader_closes_the_pipe() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let id = api.create(once("echo", "x")).await;
    for arguments in [&["list"][..], &["show", &id], &["watch"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (code, errors) = run(&api, arguments, writer).await;
        assert_eq!((code, errors.as_str()), (141, ""), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_is_not_text_is_rejected_by_name() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let submit = ["submit", "echo", "--input", "1"];
    for (more, named) in [
        (&["--key", "a\nb"][..], "--key holds control characters"),
        (
            &["--content-type", "a\x07"],
            "--content-type holds control characters",
        ),
        (&["--url", "http://h\x1b[2J"], "--url (or FLOWHOST_URL)"),
        (&["--url", "nonsense"], "--url (or FLOWHOST_URL)"),
        (&["--namespace", "a\x1b[2J"], "namespace"),
        (&["--delay", "\x1b[2J"], "--delay"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
        command
            .env("FLOWHOST_URL", api.host.url())
            .args(submit)
            .args(more);
        command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let (code, errors) = ended(command).await;
        assert!([2, 9].contains(&code), "{more:?}: {code}: {errors}");
        assert!(errors.contains(named), "{more:?}: {errors}");
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!errors.contains(steers), "{more:?}: {errors:?}");
    }
    let broken = OsStr::from_bytes(b"\xff").to_owned();
    for before in [
        &["show"][..],
        &["submit", "echo", "--key"],
        &["lane", "set"],
    ] {
        let mut arguments: Vec<OsString> = before.iter().map(OsString::from).collect();
        arguments.push(broken.clone());
        let mut command = flowhost(&api, &[]);
        command.args(&arguments).stdout(Stdio::null());
        let (code, errors) = ended(command).await;
        assert_eq!(code, 2, "{before:?}: {errors}");
        let at = 2 + arguments.len();
        let named = format!("argument {at} is not UTF-8");
        assert!(errors.contains(&named), "{before:?}: {errors}");
    }
    // Names that lead elsewhere as they stand in a path.
    for name in ["a/b", "a?b", "é", "a\nb", "%2e"] {
        let (code, _, errors) =
            crate::support::api::flowhost(&api, &["worker", "show", name]).await;
        assert!([2, 3, 9].contains(&code), "{name}: {errors}");
        assert!(!errors.contains("URL"), "{name}: {errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_json_when_json_was_requested() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    for (arguments, code, word) in [
        (
            &["--json", "submit", "unknown", "--input", "1"][..],
            9,
            "unknown_kind",
        ),
        (&["--json", "submit", "echo", "--input", "{"], 2, "usage"),
        (
            &["--json", "submit", "echo", "--file", "/nowhere"],
            3,
            "not_found",
        ),
        (&["--json", "no-such-command"], 2, "usage"),
        (
            &["--json", "list", "--url", "http://127.0.0.1:1"],
            4,
            "unavailable",
        ),
    ] {
        let (given, out, errors) = match arguments.contains(&"--url") {
            true => crate::support::api::command(arguments).await,
            false => crate::support::api::flowhost(&api, arguments).await,
        };
        let shown: Value = serde_json::from_str(&out).unwrap_or_default();
        assert_eq!(
            (given, &shown["code"]),
            (code, &json!(word)),
            "{arguments:?}: {out}{errors}"
        );
        assert!(shown["detail"].is_string(), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_the_environment_is_asked_for_other_machines_only() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let nowhere = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ];
    let port = api.host.url().rsplit(':').next().expect("a port");
    for host in ["127.0.0.1", "localhost"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
        command.args(["--url", &format!("http://{host}:{port}"), "lane", "list"]);
        command.envs(nowhere.map(|name| (name, "http://127.0.0.1:1")));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let (code, errors) = ended(command).await;
        assert_eq!(code, 0, "{host}: {errors}");
    }
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", proxy.local_addr().expect("bound"));
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().expect("a connection");
        let mut head = [0; 4096];
        let read = stream.read(&mut head).expect("a request");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"lanes\":[]}";
        stream.write_all(answer).expect("answered");
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let far = ["--url", "http://flow.invalid:7070", "lane", "list"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command.args(far).env("HTTP_PROXY", &address);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let (code, errors) = ended(command).await;
    assert_eq!(code, 0, "{errors}");
    let head = asked.join().expect("a request came");
    assert!(
        head.starts_with("GET http://flow.invalid:7070/v1/lanes"),
        "{head}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command
        .args(far)
        .env("HTTP_PROXY", &address)
        .env("NO_PROXY", "flow.invalid");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    assert_eq!(ended(command).await.0, 4, "and not for those in NO_PROXY");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_set_before_the_first_execution_and_never_after() {
    let database = database().await;
    let migrate = async |more: &[&str]| {
        let common = [
            "migrate",
            "--i-accept-loss",
            "--database-url",
            database.url(),
        ];
        crate::support::api::command(&[&common[..], more].concat()).await
    };
    let (code, out, errors) = migrate(&["--partitions", "16"]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("16 partitions"), "{out}");
    assert_eq!(migrate(&["--partitions", "0"]).await.0, 2);
    assert_eq!(migrate(&["--partitions", "4097"]).await.0, 2);
    let api = Api::start(builder(&database), &["echo"]).await;
    api.create(once("echo", "x")).await;
    let (code, _, errors) = migrate(&["--partitions", "4"]).await;
    assert_eq!(code, 5, "{errors}");
    assert!(errors.contains("keeps its 16 partitions"), "{errors}");
    assert_eq!(migrate(&["--partitions", "16"]).await.0, 0, "as it is");
    assert_eq!(migrate(&[]).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_prints_the_id_when_the_host_dies_while_it_waits() {
    let database = database().await;
    let mut api = Api::start(builder(&database), &["slow"]).await;
    let slow = ["submit", "slow", "--input", "60000", "--wait"];
    let mut command = flowhost(&api, &slow);
    command.stdout(Stdio::null());
    let waits = tokio::spawn(ended(command));
    let id = testkit::eventually("it runs", async || {
        let (_, page) = api.get("/v1/executions?state=active").await;
        page["executions"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    api.host.kill();
    let (code, errors) = waits.await.expect("ends");
    assert_eq!(code, 4, "{errors}");
    assert!(
        errors.contains(&format!("`flowhost result {id}`")),
        "{errors}"
    );
}
