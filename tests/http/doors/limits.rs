//! Limits at the door, over sockets of a host that limits loopback as well.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use testkit::database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::{Api, builder};

async fn start(settings: &[(&str, &str)]) -> Api {
    let database = database().await;
    let mut builder = builder(&database);
    for (key, value) in settings {
        builder = builder.environment(&format!("FLOWHOST_DOORS_{key}"), *value);
    }
    Api::start(builder, &[]).await
}

async fn from(api: &Api, forwarded: &str) -> reqwest::Response {
    let request = api.client.get(format!("{}/v1/lanes", api.host.url()));
    let request = request.header("x-forwarded-for", forwarded);
    request.send().await.expect("the host answers")
}

async fn connect(api: &Api) -> TcpStream {
    let address = api.host.url().replace("http://", "");
    TcpStream::connect(address).await.expect("connects")
}

/// Reads until the host closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_sends_too_much_is_told_when_to_come_back() {
    let api = start(&[
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
        ("ADDRESS_REQUESTS_PER_SECOND", "1"),
        ("ADDRESS_BURST", "3"),
    ])
    .await;
    for _ in 0..3 {
        assert_eq!(from(&api, "203.0.113.9").await.status(), StatusCode::OK);
    }
    // What the client itself says stands before what the proxy saw.
    let refused = from(&api, "198.51.100.7, 203.0.113.9").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    let problem: serde_json::Value = refused.json().await.expect("a problem");
    assert_eq!(problem["code"], "rate_limited");
    assert_eq!(problem["limit"], "doors.address_requests_per_second");
    assert!(problem["retry_after_ms"].is_u64(), "{problem}");
    assert_eq!(from(&api, "198.51.100.7").await.status(), StatusCode::OK);
    let refusals = api
        .metric("flowhost_door_refusals_total{limit=\"address\"}")
        .await;
    assert!(refusals >= 1.0, "{refusals}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_does_not_change_the_address_of_a_peer_that_is_no_proxy() {
    let api = start(&[
        ("LIMIT_LOOPBACK", "true"),
        ("ADDRESS_REQUESTS_PER_SECOND", "1"),
        ("ADDRESS_BURST", "5"),
    ])
    .await;
    let mut refused = 0;
    for host in 0..20 {
        let answer = from(&api, &format!("203.0.113.{host}")).await;
        refused += u32::from(answer.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 10, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_only_so_many_connections() {
    let api = start(&[
        ("LIMIT_LOOPBACK", "true"),
        ("CONNECTIONS_PER_ADDRESS_MAX", "3"),
    ])
    .await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&api).await;
        let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut begin = [0; 15];
        stream.read_exact(&mut begin).await.expect("an answer");
        assert_eq!(&begin, b"HTTP/1.1 200 OK");
        open.push(stream);
    }
    assert_eq!(rest(connect(&api).await).await, "", "one too many");
    drop(open.pop());
    testkit::eventually("a closed one makes room", async || {
        let mut stream = connect(&api).await;
        let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        rest(stream).await.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_and_a_head_with_too_many_parts_are_refused() {
    let api = start(&[
        ("BODY_BYTES_PER_SECOND_MIN", "1000"),
        ("BODY_GRACE_MS", "500"),
        ("HEADERS_MAX", "10"),
        ("HEAD_BYTES_MAX", "8192"),
    ])
    .await;
    let mut stream = connect(&api).await;
    let head = b"POST /v1/executions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    let (mut read, mut write) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let began = Instant::now();
    let mut answer = [0; 2048];
    let length = read.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.contains("408 Request Timeout"), "{answer}");
    assert!(answer.contains("body_bytes_per_second_min"), "{answer}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    trickle.abort();
    for more in [
        "x-a: b\r\n".repeat(20),
        format!("x-a: {}\r\n", "b".repeat(10_000)),
    ] {
        let mut stream = connect(&api).await;
        let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let answer = rest(stream).await;
        assert!(answer.contains("headers_too_large"), "{answer}");
    }
}
