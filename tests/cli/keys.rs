//! API keys, profiles and the audit, as people use them.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::{Database, Host, database};

use crate::support::api::builder;

/// A user with a home of their own, who runs commands.
struct User {
    home: tempfile::TempDir,
}

/// Exit code, output and errors of a command.
type Ran = (i32, String, String);

impl User {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a directory"),
        }
    }

    fn profiles(&self) -> PathBuf {
        self.home.path().join(".config/flowhost/profiles.toml")
    }

    /// Runs a command; `input` is its standard input.
    async fn run(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
        command
            .args(arguments)
            .env("USER", "bob")
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = input.to_owned();
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().expect("runs");
            let mut stdin = child.stdin.take().expect("piped");
            // A command that does not read its input may have ended.
            let _ = stdin.write_all(input.as_bytes());
            drop(stdin);
            child.wait_with_output().expect("runs")
        });
        let output = output.await.expect("runs");
        (
            output.status.code().expect("exits"),
            String::from_utf8(output.stdout).expect("text"),
            String::from_utf8(output.stderr).expect("text"),
        )
    }

    /// Runs a command that succeeds, and returns its output.
    async fn done(&self, arguments: &[&str], input: &str) -> String {
        let (code, out, err) = self.run(arguments, &[], input).await;
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }
}

/// Starts a host that wants a credential of everybody, and makes the first key.
async fn start(user: &User) -> (Database, Host, String) {
    let database = database().await;
    let bootstrap = [
        "token",
        "bootstrap",
        "--i-accept-loss",
        "--database-url",
        database.url(),
    ];
    let text = user.done(&bootstrap, "").await.trim().to_owned();
    assert!(engine::KeyHash::of(&text).is_some(), "{text}");
    let (code, _, err) = user.run(&bootstrap, &[], "").await;
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("`admin`") && err.contains("--force"), "{err}");
    let builder = builder(&database).argument("--require-credentials");
    let host = tokio::task::spawn_blocking(|| builder.start());
    (database, host.await.expect("started"), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_makes_others_that_do_what_their_roles_say() {
    let user = User::new();
    let (database, host, admin) = start(&user).await;
    let url = host.url();
    let (code, _, err) = user.run(&["list", "--url", url], &[], "").await;
    assert_eq!(code, 13, "{err}");
    assert!(err.contains("FLOWHOST_API_KEY"), "{err}");

    let set = ["profile", "set", "admin", "--url", url];
    user.done(&set, &format!("{admin}\n")).await;
    assert_eq!(
        user.done(&["list", "--json"], "").await.trim().as_bytes()[0],
        b'{'
    );
    let create = [
        "token",
        "create",
        "watcher",
        "--role",
        "viewer",
        "--namespace",
        "billing",
        "--expires-in",
        "1h",
    ];
    let rehearsed = user.done(&[&create[..], &["--dry-run"]].concat(), "").await;
    assert!(rehearsed.contains("nothing was changed") && !rehearsed.contains("fh_"));
    let text = user.done(&create, "").await;
    let set = [
        "profile",
        "set",
        "watcher",
        "--url",
        url,
        "--namespace",
        "billing",
    ];
    user.done(&set, &text).await;
    let (code, _, err) = user.run(&create, &[], "").await;
    assert_eq!(code, 5, "{err}");

    // A viewer of one namespace.
    let watcher = [("FLOWHOST_PROFILE", "watcher")];
    let (code, out, err) = user.run(&["list"], &watcher, "").await;
    assert_eq!(code, 0, "{out}{err}");
    let (code, _, err) = user
        .run(&["lane", "set", "x", "--weight", "5"], &watcher, "")
        .await;
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("role that is missing is admin"), "{err}");
    let others = ["token", "create", "more", "--role", "viewer"];
    let (code, _, err) = user.run(&others, &watcher, "").await;
    assert_eq!(code, 7, "{err}");

    // An admin of one namespace makes keys for it and no others.
    let create = [
        "token",
        "create",
        "lead",
        "--role",
        "admin",
        "--namespace",
        "billing",
    ];
    let lead = user.done(&create, "").await.trim().to_owned();
    let lead = [("FLOWHOST_API_KEY", lead.as_str())];
    for (arguments, expected) in [
        (
            &[
                "token",
                "create",
                "a",
                "--role",
                "worker",
                "--namespace",
                "billing",
            ][..],
            0,
        ),
        (&["token", "create", "b", "--role", "viewer"], 7),
        (
            &[
                "token",
                "create",
                "c",
                "--role",
                "viewer",
                "--namespace",
                "sales",
            ],
            7,
        ),
        (&["token", "show", "admin"], 3),
        (&["token", "revoke", "admin"], 3),
        (&["token", "show", "watcher"], 0),
        (&["audit", "--refusals"], 7),
    ] {
        let (code, out, err) = user.run(arguments, &lead, "").await;
        assert_eq!(code, expected, "{arguments:?}: {out}{err}");
    }

    let listed: Value =
        serde_json::from_str(&user.done(&["token", "list", "--json"], "").await).expect("JSON");
    let names: Vec<_> = listed["keys"].as_array().expect("keys").iter().collect();
    let names: Vec<_> = names.iter().map(|key| key["name"].as_str()).collect();
    assert_eq!(
        names,
        [Some("a"), Some("lead"), Some("watcher"), Some("admin")]
    );
    assert!(
        !listed.to_string().contains(&admin[12..]),
        "texts are not listed"
    );

    // Another text, at once; then none.
    let rotated = user
        .done(&["token", "rotate", "watcher", "--overlap", "0s"], "")
        .await;
    let engine = database.engine().await;
    let old = engine::KeyHash::of(text.trim()).expect("a hash");
    let new = engine::KeyHash::of(rotated.trim()).expect("a hash");
    let found = engine.authenticate(&[old, new]).await.expect("answered");
    assert!(found[0].is_none() && found[1].is_some());
    user.done(&["token", "revoke", "watcher"], "").await;
    let found = engine.authenticate(&[new]).await.expect("answered");
    assert_eq!(found, [None]);

    let forced = [
        "token",
        "bootstrap",
        "--i-accept-loss",
        "--force",
        "--name",
        "spare",
        "--database-url",
        database.url(),
    ];
    user.done(&forced, "").await;
    let audit = user
        .done(&["audit", "--verb", "token bootstrap", "--json"], "")
        .await;
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    let entries = audit["entries"].as_array().expect("entries");
    let seen: Vec<_> = entries
        .iter()
        .map(|it| (it["outcome"].as_str(), it["note"].as_str()))
        .collect();
    let note = Some("on the database, by the user bob");
    let forced = Some("on the database, by the user bob, forced");
    let refused = Some("admin_key_exists");
    assert_eq!(
        seen,
        [
            (Some("done"), forced),
            (refused, note),
            (Some("done"), note)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_keep_keys_to_themselves() {
    let user = User::new();
    let key = "fh_kept-secret";
    let set = [
        "profile",
        "set",
        "a",
        "--url",
        "https://a.example",
        "--namespace",
        "billing",
    ];
    user.done(&set, key).await;
    let set = [
        "profile",
        "set",
        "b",
        "--url",
        "http://127.0.0.1:1",
        "--no-key",
    ];
    user.done(&set, "").await;
    let mode = |path: &PathBuf| {
        let about = std::fs::metadata(path).expect("the file");
        about.permissions().mode() & 0o777
    };
    assert_eq!(mode(&user.profiles()), 0o600);
    assert_eq!(
        mode(&user.profiles().parent().expect("a folder").into()),
        0o700
    );
    for arguments in [
        &["profile", "list"][..],
        &["profile", "list", "--json"],
        &["profile", "show", "a"],
        &["profile", "show", "--json"],
        &["profile", "use", "b", "--json"],
        &["--profile", "a", "list", "--url", "http://127.0.0.1:1"],
    ] {
        let (_, out, err) = user.run(arguments, &[], "").await;
        assert!(
            !format!("{out}{err}").contains("secret"),
            "{arguments:?}: {out}{err}"
        );
    }
    let shown: Value =
        serde_json::from_str(&user.done(&["profile", "show", "--json"], "").await).expect("JSON");
    assert_eq!(
        (&shown["name"], &shown["in_use"]),
        (&"b".into(), &true.into())
    );
    // The profile in use names the host.
    let (code, _, err) = user.run(&["list"], &[], "").await;
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
    for (arguments, environment, what) in [
        (
            &["list", "--profile", "a", "--url", "https://b.example"][..],
            &[][..],
            "not sent to",
        ),
        (&["list", "--profile", "c"], &[], "no profile `c`"),
        (
            &["list", "--url", "http://10.0.0.1:1"],
            &[("FLOWHOST_API_KEY", key)],
            "--insecure-http",
        ),
        (
            &["profile", "set", "d", "--url", "https://d"],
            &[],
            "--no-key",
        ),
        (&["profile", "set", "d"], &[], "--url"),
    ] {
        let (code, out, err) = user.run(arguments, environment, "").await;
        assert_eq!(code, 2, "{arguments:?}: {out}{err}");
        assert!(err.contains(what), "{arguments:?}: {err}");
    }
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(user.profiles(), open).expect("set");
    for arguments in [&["list"][..], &["profile", "list"]] {
        let (code, out, err) = user.run(arguments, &[], "").await;
        assert_eq!(code, 2, "{arguments:?}: {out}{err}");
        assert!(err.contains("chmod 600"), "{err}");
    }
    // What asks no host does not mind.
    let (code, _, err) = user.run(&["lane", "--help"], &[], "").await;
    assert_eq!(code, 0, "{err}");
    let own = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(user.profiles(), own).expect("set");
    user.done(&["profile", "remove", "a"], "").await;
    let kept = std::fs::read_to_string(user.profiles()).expect("the file");
    assert!(!kept.contains("secret"), "{kept}");
    let (code, _, _) = user.run(&["profile", "show", "a"], &[], "").await;
    assert_eq!(code, 3);
}

/// Answers requests with a redirect to `to`, and returns what they were.
async fn redirecting(to: String) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = tokio::spawn(async move {
        let (mut seen, mut buffer) = (Vec::new(), vec![0; 8192]);
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let length = stream.read(&mut buffer).await.expect("reads");
        seen.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        let answer = format!("HTTP/1.1 307 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("writes");
        seen
    });
    (url, requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_not_follow_a_redirect_to_another_host() {
    let user = User::new();
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let other = elsewhere.local_addr().expect("an address");
    let (url, requests) = redirecting(format!("http://{other}/v1/executions")).await;
    let key = [("FLOWHOST_API_KEY", "fh_secret")];
    let (code, _, err) = user.run(&["list", "--url", &url], &key, "").await;
    assert_eq!(code, 4, "{err}");
    assert!(
        err.contains(&format!("redirects to http://{other}")),
        "{err}"
    );
    let seen = requests.await.expect("served");
    assert!(
        seen[0].contains("authorization: Bearer fh_secret"),
        "{seen:?}"
    );
    let reached = elsewhere.accept();
    let reached = tokio::time::timeout(std::time::Duration::ZERO, reached).await;
    assert!(reached.is_err(), "the other host was asked");
}
