//! Requests that no client library sends: bytes that are not UTF-8, heads that are not
//! HTTP. Every answer is a problem with a name.

use reqwest::Method;
use serde_json::Value;
use testkit::database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::{Api, builder};
use crate::support::routes::routes;

/// What came back: status, headers in lower case, and the code of the problem.
#[derive(Debug)]
struct Seen {
    status: u16,
    headers: String,
    code: String,
}

/// Sends bytes and reads until the host closes.
async fn send(api: &Api, request: &[u8]) -> Seen {
    let address = api.host.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    // A host that closes while something is still unread resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let headers = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let is_problem = headers.contains("content-type: application/problem+json")
        && ["type", "title", "detail"]
            .iter()
            .all(|it| problem[*it].is_string());
    let code = problem["code"].as_str().filter(|_| is_problem);
    Seen {
        status: status.unwrap_or_default(),
        code: code.unwrap_or_default().to_owned(),
        headers,
    }
}

fn request(method: &Method, path: &[u8], headers: &[u8], body: &[u8]) -> Vec<u8> {
    let length = format!("content-length: {}\r\n\r\n", body.len());
    [
        format!("{method} ").as_bytes(),
        path,
        b" HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n",
        headers,
        length.as_bytes(),
        body,
    ]
    .concat()
}

/// A path whose parameters are these bytes.
fn with(path: &str, parameter: &[u8]) -> Vec<u8> {
    let mut filled = Vec::new();
    for (at, part) in path.split(['{', '}']).enumerate() {
        filled.extend_from_slice(if at % 2 == 1 {
            parameter
        } else {
            part.as_bytes()
        });
    }
    filled
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_utf_8_get_a_problem_on_every_route() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let json = b"content-type: application/json\r\n".as_slice();
    let mut wrong = Vec::new();
    let mut expect = |what: String, seen: Seen, statuses: &[u16]| {
        if !statuses.contains(&seen.status) || seen.code.is_empty() {
            wrong.push(format!("{what}: {seen:?}"));
        }
    };
    for (method, path) in routes(&api).await {
        if path.contains('{') {
            for parameter in [b"%FF".as_slice(), b"a%C3", b"\xff", b"a\x7f", b"%00"] {
                let shown = String::from_utf8_lossy(parameter).into_owned();
                let sent = request(&method, &with(&path, parameter), json, b"{}");
                let seen = send(&api, &sent).await;
                // The number of what is bad differs, never that it has a name.
                let retired = method == Method::DELETE && seen.status == 204;
                if !retired {
                    expect(
                        format!("{method} {path} with {shown}"),
                        seen,
                        &[400, 404, 422],
                    );
                }
            }
        }
        let id = with(&path, b"00000000-0000-7000-8000-000000000000");
        for query in [b"?a=%ff".as_slice(), b"?%C3=1", b"?limit=%", b"?\xff=1"] {
            if ["/healthz", "/readyz", "/metrics", "/openapi.json"].contains(&path.as_str()) {
                continue;
            }
            let sent = request(&method, &[&id[..], query].concat(), json, b"{}");
            let shown = String::from_utf8_lossy(query).into_owned();
            expect(
                format!("{method} {path}{shown}"),
                send(&api, &sent).await,
                &[400],
            );
        }
        // Headers that are read, and some that are not.
        let odd = b"content-type: \xff\r\nidempotency-key: \xff\r\nprefer: \xff\r\ncontent-encoding: \xff\r\nx-any: \xff\r\n";
        let seen = send(&api, &request(&method, &id, odd, b"{}")).await;
        if seen.status >= 400 {
            let what = format!("{method} {path} with odd headers");
            expect(what, seen, &[400, 403, 404, 409, 415, 422]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_http_get_a_problem_with_a_code() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let get = |path: &str| request(&Method::GET, path.as_bytes(), b"", b"");
    let long = "x".repeat(70_000);
    for (what, sent, status, code) in [
        ("words", b"hello\r\n\r\n".to_vec(), 400, "malformed_request"),
        (
            "no version",
            b"GET /healthz\r\n\r\n".to_vec(),
            400,
            "malformed_request",
        ),
        ("a space", get("/v1/ executions"), 400, "malformed_request"),
        (
            "raw bytes",
            request(&Method::GET, b"/v1/\xff", b"", b""),
            400,
            "malformed_request",
        ),
        (
            "a header without a colon",
            request(&Method::GET, b"/healthz", b"nonsense\r\n", b""),
            400,
            "malformed_request",
        ),
        (
            "a long path",
            get(&format!("/v1/{long}")),
            414,
            "uri_too_long",
        ),
        (
            "long headers",
            request(
                &Method::GET,
                b"/healthz",
                format!("x-a: {long}\r\n").repeat(8).as_bytes(),
                b"",
            ),
            431,
            "headers_too_large",
        ),
        ("no route", get("/%ff/%zz"), 404, "not_found"),
        (
            "an asterisk",
            request(&Method::OPTIONS, b"*", b"", b""),
            404,
            "not_found",
        ),
        (
            "another method",
            request(&Method::PATCH, b"/v1/executions", b"", b""),
            405,
            "method_not_allowed",
        ),
        (
            "an unheard-of method",
            b"BREW /v1/executions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
                .to_vec(),
            405,
            "method_not_allowed",
        ),
        (
            "another host in the address",
            request(&Method::GET, b"http://evil.example/v1/lanes", b"", b""),
            403,
            "foreign_host",
        ),
    ] {
        let seen = send(&api, &sent).await;
        assert_eq!(
            (seen.status, seen.code.as_str()),
            (status, code),
            "{what}: {seen:?}"
        );
        if status == 405 {
            assert!(seen.headers.contains("allow: "), "{what}: {seen:?}");
        }
    }
    let old = send(&api, b"GET /v1/lanes HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200, "a program without a Host");
    let two = [get("/healthz"), b"nonsense\r\n\r\n".to_vec()].concat();
    let two = String::from_utf8_lossy(&two).replace("connection: close\r\n", "");
    let seen = send(&api, two.as_bytes()).await;
    assert_eq!(seen.status, 200, "the first of a pipeline is answered");
}
