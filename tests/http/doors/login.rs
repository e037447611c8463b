//! A person logs in with the device flow of a real issuer, and out again.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use server::http::oidc::Verifier;
use testkit::{Host, database};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::api::builder;
use crate::support::doors::issuer::Issuer;

async fn start(issuer: &Issuer) -> Host {
    let database = database().await;
    let builder = builder(&database)
        .argument("--require-credentials")
        .environment("FLOWHOST_OIDC_ISSUER", &issuer.url)
        .environment("FLOWHOST_OIDC_AUDIENCE", &issuer.audience)
        .environment("FLOWHOST_OIDC_CLIENT_ID", "flowhost-cli");
    tokio::task::spawn_blocking(|| builder.start())
        .await
        .expect("started")
}

fn flowhost(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command
        .args(arguments)
        .env("XDG_CONFIG_HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn ended(mut command: Command) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs"));
    let output = output.await.expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_kept_renewed_sent_and_forgotten() {
    // So short that each command renews its token.
    let issuer = Issuer::start(20);
    let host = start(&issuer).await;
    let home = tempfile::tempdir().expect("a directory");
    let url = host.url().to_owned();

    let elsewhere = ["--url", &url, "login", "--issuer", "https://id.example"];
    let (code, said) = ended(flowhost(home.path(), &elsewhere)).await;
    assert_eq!(code, Some(7), "another issuer is refused: {said}");

    let mut login = flowhost(home.path(), &["--url", &url, "--json", "login"]);
    let mut login = login.spawn().expect("starts");
    let mut lines = BufReader::new(login.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    let code: Value = serde_json::from_str(&first).expect("JSON");
    let let_in = json!({"user_code": code["user_code"], "account": "ada"});
    issuer.control("let-in", let_in).await;
    let last = tokio::task::spawn_blocking(move || lines.next().expect("a line").expect("text"));
    assert_eq!(
        last.await.expect("read"),
        json!({"logged_in": url}).to_string()
    );
    assert!(login.wait().expect("ends").success());

    let path = home.path().join("flowhost/tokens.json");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let stored = || -> Value {
        let text = fs::read_to_string(&path).expect("text");
        serde_json::from_str(&text).expect("JSON")
    };
    let before = stored()["hosts"][&url].clone();
    let verifier = Verifier::new(&issuer.settings())
        .expect("valid")
        .expect("named");
    let token = before["token"].as_str().expect("a token");
    let principal = verifier.verify(token).await.expect("of the issuer");
    assert_eq!(principal.name.as_deref(), Some("oidc:ada"));

    // A host that notes what it is sent.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let other = format!("http://{}", listener.local_addr().expect("bound"));
    let mut all = stored();
    all["hosts"][&other] = before.clone();
    fs::write(&path, all.to_string()).expect("written");
    let listing = tokio::spawn(ended(flowhost(
        home.path(),
        &["--url", &other, "lane", "list"],
    )));
    let (mut stream, _) = listener.accept().await.expect("a request");
    let mut sent = vec![0; 16 << 10];
    let length = stream.read(&mut sent).await.expect("a head");
    let sent = String::from_utf8_lossy(&sent[..length]).into_owned();
    stream
        .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        .await
        .expect("sent");
    drop(stream);
    listing.await.expect("ends");
    let after = stored()["hosts"][&other].clone();
    assert_ne!(after["token"], before["token"], "renewed");
    let bearer = format!(
        "authorization: Bearer {}",
        after["token"].as_str().expect("a token")
    );
    assert!(sent.contains(&bearer), "the renewed one is sent");

    let (code, said) = ended(flowhost(home.path(), &["--url", &url, "--json", "logout"])).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(stored()["hosts"][&url], Value::Null);
    let (code, _) = ended(flowhost(home.path(), &["--url", &url, "logout"])).await;
    assert_eq!(code, Some(3), "no one is logged in");
    // Others can read it now.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    let (code, _) = ended(flowhost(home.path(), &["--url", &other, "lane", "list"])).await;
    assert_eq!(
        code,
        Some(2),
        "a file of tokens that others read is not used"
    );
}
