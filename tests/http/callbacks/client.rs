//! A client with nothing but a callback URL.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::{Api, text};

/// What an outsider sees: status, type, caching, body.
pub(super) type Seen = (u16, String, String, String);

/// Sends a request to a callback URL.
pub(super) async fn send(
    api: &Api,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Seen {
    let mut request = api.client.request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body).send().await.expect("the host answers");
    let header = |name: &str| {
        let value = response.headers().get(name);
        value.map_or_else(String::new, |it| it.to_str().expect("text").to_owned())
    };
    let (content_type, cache) = (header("content-type"), header("cache-control"));
    let status = response.status().as_u16();
    let body = response.text().await.expect("a body");
    (status, content_type, cache, body)
}

pub(super) async fn post(api: &Api, url: &str, body: impl Into<reqwest::Body>) -> Seen {
    send(api, Method::POST, url, &[], body).await
}

pub(super) fn problem(seen: &Seen) -> (u16, String) {
    assert_eq!(seen.1, "application/problem+json", "{seen:?}");
    let body: Value = serde_json::from_str(&seen.3).expect("JSON");
    (seen.0, text(&body["code"]))
}

pub(super) fn accepted(status: u16, word: &str) -> Seen {
    (
        status,
        "application/json".to_owned(),
        "no-store".to_owned(),
        format!("{{\"status\":\"{word}\"}}"),
    )
}

/// Sends bytes to the host; returns everything it answers.
pub(super) async fn raw(api: &Api, request: &[u8]) -> String {
    let address = api.host.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    // A host that closes while something is still sent resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Percent-encodes what is neither a letter nor a digit.
pub(super) fn encoded(token: &str) -> String {
    token
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
