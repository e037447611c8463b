//! Where requests stop: time, bytes, connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egress::{Client, Error, LongBody, Request, Settings};

use crate::server::{Scripted, Server, Silent, allowing, get, local};

const SHORT: Duration = Duration::from_millis(200);

fn short(settings: &mut Settings) {
    settings.timeout = SHORT;
}

/// Sends, and checks that the time was kept.
async fn timed_out(client: &Client, url: &str) -> String {
    let begun = Instant::now();
    let error = client.send(get(url)).await.expect_err("timed out");
    assert!(begun.elapsed() >= SHORT, "too early: {error}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "too late: {error}"
    );
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_in_time() {
    let beginning = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun";
    for answer in ["", "HTTP/1.1 200", beginning] {
        let server = Server::answering(answer, false).await;
        let said = timed_out(&local(short), &format!("{}s3cret", server.url())).await;
        assert!(
            said.ends_with("after 200 ms, waiting for the answer"),
            "{said}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn the_time_includes_the_resolver() {
    let mut settings = allowing(&[]);
    short(&mut settings);
    let client = Client::with_resolver(settings, Arc::new(Silent));
    let said = timed_out(&client, "http://a.test/").await;
    assert!(said.ends_with("resolving the name"), "{said}");
}

#[tokio::test]
async fn a_connection_has_a_time_of_its_own() {
    // A listener whose queue is full accepts no more, and Linux drops what comes then.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("bound");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await
    {
        queued.push(stream);
    }
    let client = local(|settings| settings.connect_timeout = SHORT);
    let error = client
        .send(get(&format!("http://{address}/")))
        .await
        .expect_err("full");
    assert!(matches!(error, Error::NotConnected { .. }), "{error}");
    assert!(
        error.to_string().ends_with("timed out after 200 ms"),
        "{error}"
    );
}

#[tokio::test]
async fn the_connections_to_one_host_are_bounded() {
    let slow = Server::answering("", false).await;
    let fast = Server::with_status("200 OK", "").await;
    let resolver = Scripted::new([&["127.0.0.1"], &["127.0.0.1"], &["127.0.0.1"]]);
    let mut settings = allowing(&["127.0.0.1"]);
    settings.connections_per_host_max = 1;
    let client = Arc::new(Client::with_resolver(settings, resolver));
    let slow_url = format!("http://slow.test:{}/", slow.port());
    let send = |url: &str| {
        let (client, request) = (client.clone(), get(url));
        tokio::spawn(async move { client.send(request).await })
    };
    let first = send(&slow_url);
    slow.until_connections(1).await;
    let second = send(&slow_url);
    let other = send(&format!("http://fast.test:{}/", fast.port())).await;
    let other = other.expect("no panic").expect("another host");
    assert_eq!(other.status, 200);
    assert_eq!(slow.connections(), 1, "the second waits");
    first.abort();
    slow.until_connections(2).await;
    second.abort();
}

#[tokio::test]
async fn a_long_body_is_refused_or_cut_as_the_caller_says() {
    let ten = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n";
    let until_closed = "HTTP/1.1 200 OK\r\n\r\n0123456789";
    for answer in [ten, chunks, until_closed] {
        let server = Server::answering(answer, true).await;
        let with = |max| local(move |settings| settings.body_bytes_max = max);
        let whole = with(10).send(get(&server.url())).await.expect("fits");
        assert_eq!((&whole.body[..], whole.is_cut), (&b"0123456789"[..], false));
        let error = with(9)
            .send(get(&server.url()))
            .await
            .expect_err("too large");
        assert!(
            error.to_string().starts_with("too large: the body"),
            "{error}"
        );
        let cut = Request {
            long_body: LongBody::Cut,
            ..get(&server.url())
        };
        let cut = with(9).send(cut).await.expect("cut");
        assert_eq!(
            (&cut.body[..], cut.is_cut, cut.status.as_u16()),
            (&b"012345678"[..], true, 200)
        );
    }
}

#[tokio::test]
async fn an_endless_body_stops_at_the_limit() {
    // The length is a promise of the server's; nothing is reserved for it.
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        u64::MAX / 2
    )
    .into_bytes();
    answer.resize(1 << 20, b'x');
    let server = Server::answering(answer, false).await;
    let cut = Request {
        long_body: LongBody::Cut,
        ..get(&server.url())
    };
    let answer = local(|settings| settings.body_bytes_max = 1000)
        .send(cut)
        .await;
    assert_eq!(answer.expect("cut").body.len(), 1000);
}

#[tokio::test]
async fn a_long_head_is_refused() {
    let many = "a: b\r\n".repeat(65);
    let long = format!("a: {}\r\n", "b".repeat(20 << 10));
    for headers in [many, long] {
        let server = Server::with_status("200 OK", &headers).await;
        let error = local(|_| ())
            .send(get(&server.url()))
            .await
            .expect_err("too large");
        assert!(
            error.to_string().starts_with("too large: the head"),
            "{error}"
        );
    }
    let most = "a: b\r\n".repeat(63);
    let server = Server::with_status("200 OK", &most).await;
    let answer = local(|_| ()).send(get(&server.url())).await.expect("fits");
    assert_eq!(answer.headers.len(), 64);
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    for answer in [
        "",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
    ] {
        let server = Server::answering(answer, true).await;
        let error = local(|_| ())
            .send(get(&server.url()))
            .await
            .expect_err("no answer");
        assert!(matches!(error, Error::NoAnswer { .. }), "{answer}: {error}");
        assert!(!error.to_string().contains("SSH"), "{error}");
    }
}
