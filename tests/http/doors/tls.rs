//! A host whose API speaks TLS, and its clients.

use std::process::Command;

use serde_json::Value;
use testkit::{Host, database, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::{builder, command};
use crate::support::doors::certificates::Certificates;

async fn start(certificates: &Certificates, more: &[(&str, &str)]) -> Host {
    let database = database().await;
    let mut builder = builder(&database)
        .argument("--tls-cert")
        .argument(certificates.argument("cert.pem"))
        .argument("--tls-key")
        .argument(certificates.argument("key.pem"));
    for (name, value) in more {
        builder = builder.environment(name, *value);
    }
    tokio::task::spawn_blocking(|| builder.start())
        .await
        .expect("started")
}

fn over_tls(host: &Host) -> String {
    host.url().replace("http://", "https://")
}

async fn metric(client: &reqwest::Client, url: &str, name: &str) -> Option<f64> {
    let page = client.get(format!("{url}/metrics")).send().await.ok()?;
    let page = page.text().await.ok()?;
    page.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_speaks_tls_and_the_command_line_trusts_what_it_is_told_to() {
    let certificates = Certificates::new();
    let host = start(&certificates, &[]).await;
    let (client, url) = (certificates.client(), over_tls(&host));
    let health = client.get(format!("{url}/healthz")).send().await;
    assert_eq!(health.expect("answers").status(), 200);
    let mut stream = TcpStream::connect(url.replace("https://", ""))
        .await
        .expect("connects");
    let plain = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    stream.write_all(plain).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.contains("tls_required"), "{answer}");
    let ca = certificates.argument("ca.pem");
    let (code, _, errors) = command(&["--url", &url, "--ca", &ca, "lane", "list"]).await;
    assert_eq!(code, 0, "{errors}");
    let (code, _, errors) = command(&["--url", &url, "lane", "list"]).await;
    assert_eq!(code, 4, "an authority that is unknown: {errors}");
    let key = certificates.argument("key.pem");
    let (code, _, errors) = command(&["--url", &url, "--ca", &key, "lane", "list"]).await;
    assert_eq!(
        (code, errors.contains("no certificate in PEM")),
        (2, true),
        "{errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_is_used_without_a_restart() {
    const EXPIRES: &str = "flowhost_tls_certificate_expires_at_seconds";
    const FAILED: &str = "flowhost_tls_certificate_reads_total{outcome=\"failed\"}";
    let certificates = Certificates::new();
    // Only SIGHUP has the files compared.
    let host = start(&certificates, &[("FLOWHOST_TLS_RELOAD_MS", "3600000")]).await;
    let (client, url) = (certificates.client(), over_tls(&host));
    let first = metric(&client, &url, EXPIRES).await.expect("a number");
    certificates.issue(2061);
    host.signal("HUP");
    eventually("the new certificate is in use", async || {
        let now = metric(&client, &url, EXPIRES).await?;
        (now > first + 300.0 * 86_400.0).then_some(())
    })
    .await;
    std::fs::write(certificates.path("cert.pem"), "broken").expect("written");
    host.signal("HUP");
    eventually("the broken one is counted", async || {
        (metric(&client, &url, FAILED).await? >= 1.0).then_some(())
    })
    .await;
    // Another connection, so another handshake.
    let health = certificates
        .client()
        .get(format!("{url}/healthz"))
        .send()
        .await;
    assert_eq!(health.expect("the old one serves").status(), 200);
    eventually("the log says that it is kept", async || {
        host.log().contains("is kept").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_the_wrong_key_does_not_start_and_says_why() {
    let (ours, others) = (Certificates::new(), Certificates::new());
    let database = database().await;
    let run = Command::new(env!("CARGO_BIN_EXE_flowhost"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            database.url(),
        ])
        .args(["--tls-cert", &ours.argument("cert.pem")])
        .args(["--tls-key", &others.argument("key.pem"), "--json"])
        .output()
        .expect("runs");
    assert_eq!(run.status.code(), Some(2));
    let answer = String::from_utf8_lossy(&run.stdout);
    let problem: Value = serde_json::from_str(answer.trim()).expect("a problem");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with("tls.key: "), "{detail}");
    assert!(detail.contains("not the key of"), "{detail}");
}
