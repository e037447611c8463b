//! Which addresses are dialed.

use std::sync::atomic::Ordering;

use egress::{Bytes, Client, Error, HeaderMap, Method, Network, Request};

use crate::server::{Scripted, Server, allowing, get, local};

#[tokio::test]
async fn nothing_on_this_machine_is_reached_unless_it_is_allowed() {
    let server = Server::with_status("200 OK", "").await;
    let client = Client::new(allowing(&[]));
    let port = server.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        let error = client.send(get(&format!("http://{host}:{port}/"))).await;
        let error = error.expect_err(host);
        assert!(
            matches!(error, Error::BlockedAddress { .. }),
            "{host}: {error}"
        );
    }
    assert_eq!(server.connections(), 0);
    for allowed in ["127.0.0.0/8", "127.0.0.1", &format!("127.0.0.1:{port}")] {
        let answer = Client::new(allowing(&[allowed]))
            .send(get(&server.url()))
            .await;
        assert_eq!(answer.expect(allowed).status, 200, "{allowed}");
    }
    let named = Client::new(allowing(&[&format!("localhost:{port}")]));
    let answer = named.send(get(&format!("http://localhost:{port}/"))).await;
    assert_eq!(answer.expect("allowed").status, 200);
    let other = named.send(get(&server.url())).await;
    assert!(
        matches!(other, Err(Error::BlockedAddress { .. })),
        "the name is allowed, not its address"
    );
}

#[tokio::test]
async fn a_name_that_resolves_to_a_blocked_address_is_blocked_without_naming_it() {
    let resolver = Scripted::new([&["10.1.2.3"]]);
    let client = Client::with_resolver(allowing(&[]), resolver);
    let error = client.send(get("http://a.test/s3cret?s3cret")).await;
    let error = error.expect_err("blocked");
    let blocked = Error::BlockedAddress {
        host: "a.test".to_owned(),
        network: Network::Private,
    };
    assert_eq!(error, blocked);
    let said = error.to_string();
    assert!(
        !said.contains("10.1.2.3") && !said.contains("s3cret"),
        "{said}"
    );
}

#[tokio::test]
async fn a_second_answer_of_the_resolver_is_never_asked_for() {
    let server = Server::with_status("200 OK", "").await;
    // This machine, allowed by name of the address; then one that would be blocked.
    let resolver = Scripted::new([&["127.0.0.1"], &["127.0.0.2"]]);
    let client = Client::with_resolver(allowing(&["127.0.0.1"]), resolver.clone());
    let url = format!("http://rebinding.test:{}/", server.port());
    assert_eq!(client.send(get(&url)).await.expect("vetted").status, 200);
    assert_eq!(
        resolver.asked.load(Ordering::SeqCst),
        1,
        "vetted and dialed by one answer"
    );
    let error = client.send(get(&url)).await.expect_err("blocked");
    assert!(
        matches!(error, Error::BlockedAddress { .. }),
        "each request vets: {error}"
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn of_a_mixed_answer_only_vetted_addresses_are_dialed() {
    // 127.0.0.1 has a listener and is blocked; nothing listens at the allowed one.
    let server = Server::with_status("200 OK", "").await;
    let resolver = Scripted::new([&["127.0.0.1", "127.0.0.9", "::1"]]);
    let mut settings = allowing(&["127.0.0.9"]);
    settings.timeout = std::time::Duration::from_secs(5);
    let client = Client::with_resolver(settings, resolver);
    let url = format!("http://mixed.test:{}/", server.port());
    let error = client.send(get(&url)).await.expect_err("not reached");
    assert!(matches!(error, Error::NotConnected { .. }), "{error}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_accept() {
    let server = Server::with_status("204 No Content", "").await;
    let resolver = Scripted::new([&["127.0.0.9", "127.0.0.1"]]);
    let client = Client::with_resolver(allowing(&["127.0.0.0/8"]), resolver);
    let answer = client
        .send(get(&format!("http://two.test:{}/", server.port())))
        .await;
    assert_eq!(answer.expect("the second").status, 204);
}

#[tokio::test]
async fn a_name_without_addresses_and_an_unknown_one_are_told_apart() {
    let client = Client::with_resolver(allowing(&[]), Scripted::new([&[]]));
    let error = client
        .send(get("http://empty.test/"))
        .await
        .expect_err("none");
    assert_eq!(error.to_string(), "no address: empty.test has none");
    let error = client
        .send(get("http://gone.test/"))
        .await
        .expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "not resolved: gone.test: no such host is known"
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let elsewhere = Server::with_status("200 OK", "").await;
    let location = format!("location: {}\r\n", elsewhere.url());
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let server = Server::with_status(status, &location).await;
        let answer = local(|_| ())
            .send(get(&server.url()))
            .await
            .expect("an answer");
        assert_eq!(answer.status.as_str(), &status[..3]);
        assert_eq!(answer.headers["location"], elsewhere.url());
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_request_is_sent_whole_and_once() {
    let server = Server::with_status("500 Oops", "").await;
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "m".parse().expect("a value"));
    let request = Request {
        method: Method::POST,
        headers,
        body: Bytes::from_static(b"{\"a\":1}"),
        ..get(&format!("{}p/q?r=s", server.url()))
    };
    let answer = local(|_| ()).send(request).await.expect("an answer");
    assert_eq!(answer.status, 500);
    let expected = format!(
        "POST /p/q?r=s HTTP/1.1\r\nwebhook-id: m\r\nhost: {}\r\nconnection: close\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}",
        server.address
    );
    assert_eq!(server.received(), [expected]);
}

#[tokio::test]
async fn headers_of_the_connection_are_the_client_s() {
    let server = Server::with_status("200 OK", "").await;
    for name in [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "keep-alive",
        "proxy-authorization",
    ] {
        let mut request = get(&server.url());
        let value = "s3cret".parse().expect("a value");
        request
            .headers
            .insert(egress::header::HeaderName::from_static(name), value);
        let error = local(|_| ()).send(request).await.expect_err(name);
        assert_eq!(error, Error::OwnHeader(name.to_owned()));
    }
    assert_eq!(server.connections(), 0);
}
