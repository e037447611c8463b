//! Callback URLs: what outsiders with nothing but a token may do, and what they
//! learn.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api::{Api, builder, code, text};
use crate::http_waiting::{ask, held, named, of, suspend, waiting};
use crate::http_work::{claim_one, register, start};

/// What an outsider sees: status, type, caching, body.
type Seen = (u16, String, String, String);

/// Sends a request to a callback URL.
async fn send(
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

async fn post(api: &Api, url: &str, body: impl Into<reqwest::Body>) -> Seen {
    send(api, Method::POST, url, &[], body).await
}

fn problem(seen: &Seen) -> (u16, String) {
    assert_eq!(seen.1, "application/problem+json", "{seen:?}");
    let body: Value = serde_json::from_str(&seen.3).expect("JSON");
    (seen.0, text(&body["code"]))
}

fn accepted(status: u16, word: &str) -> Seen {
    (
        status,
        "application/json".to_owned(),
        "no-store".to_owned(),
        format!("{{\"status\":\"{word}\"}}"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outsider_sends_whatever_bytes_there_are() {
    let (database, api) = start().await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 4, "count_kind": "DistinctSignals", "waitpoints": ["hook"],
    }});
    let (id, open) = waiting(&api, condition).await;
    let url = text(&open["callback_url"]);
    for (method, status) in [
        (Method::GET, 200),
        (Method::HEAD, 200),
        (Method::OPTIONS, 204),
        (Method::PUT, 405),
    ] {
        for url in [&url, &format!("{url}/"), &format!("{url}A")] {
            let seen = send(&api, method.clone(), url, &[], "").await;
            assert_eq!((seen.0, seen.2.as_str()), (status, "no-store"), "{method}");
            if method == Method::GET {
                assert!(seen.3.contains("looking at it does nothing"), "{seen:?}");
            }
        }
    }
    assert!(
        of(&api, &id, "signals").await.is_empty(),
        "a look signals nothing"
    );

    let bytes = vec![0xff, 0x00, b'{'];
    let raw = [
        ("content-type", "application/x-bytes"),
        ("webhook-id", "msg_1"),
    ];
    let seen = send(&api, Method::POST, &url, &raw, bytes.clone()).await;
    assert_eq!(seen, accepted(202, "accepted"));
    database.advance(Duration::from_secs(48 * 3600)).await;
    let seen = send(&api, Method::POST, &url, &raw, bytes).await;
    assert_eq!(seen, accepted(200, "duplicate"));
    let both = [("idempotency-key", "mine"), ("webhook-id", "msg_1")];
    let seen = send(&api, Method::POST, &url, &both, "{ \"a\":  1 }").await;
    assert_eq!(
        seen,
        accepted(202, "accepted"),
        "Idempotency-Key goes before"
    );
    let named = format!("{url}?signal=paid");
    let largest = "x".repeat(64 << 10);
    assert_eq!(
        post(&api, &named, largest.clone()).await,
        accepted(202, "accepted")
    );
    let seen = post(&api, &url, largest + "x").await;
    assert_eq!(problem(&seen), (413, "payload_too_large".to_owned()));
    assert_eq!(post(&api, &url, "").await, accepted(202, "accepted"));

    let waitpoint = &of(&api, &id, "waitpoints").await[0];
    let claimed = claim_one(&api, "w-1").await;
    let signals = claimed["resumption"]["signals"].as_array().expect("a list");
    for signal in signals {
        assert_eq!(signal["source_type"], "webhook");
        assert_eq!(signal["source_identity"], waitpoint["token_fingerprint"]);
    }
    let seen: Vec<_> = signals
        .iter()
        .map(|it| (text(&it["signal_name"]), it["content_type"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("callback".to_owned(), Some("application/x-bytes")),
            ("callback".to_owned(), Some("application/octet-stream")),
            ("paid".to_owned(), Some("application/octet-stream")),
            ("callback".to_owned(), None),
        ]
    );
    assert_eq!(signals[0]["payload_base64"], "/wB7");
    assert_eq!(
        signals[1]["payload_base64"], "eyAiYSI6ICAxIH0=",
        "byte for byte"
    );
    assert_eq!(signals[3].get("payload_base64"), None);
    let late = post(&api, &url, "late").await;
    assert_eq!(problem(&late), (409, "waitpoint_closed".to_owned()));
    let (status, _) = ask(&api, &id, "cancel", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(post(&api, &url, "late").await, late, "it learns no more");
    let repeat = send(&api, Method::POST, &url, &raw, vec![0xff, 0x00, b'{']).await;
    assert_eq!(repeat, accepted(200, "duplicate"), "also afterwards");
    database.assert_invariants().await;
}

/// Sends bytes to the host; returns everything it answers.
async fn raw(api: &Api, request: &[u8]) -> String {
    let address = api.host.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    // A host that closes while something is still sent resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// What follows the address, headers, and the body.
type Delivery<'a> = (&'a str, Vec<(&'a str, &'a [u8])>, &'a [u8]);

#[tokio::test(flavor = "multi_thread")]
async fn what_senders_of_webhooks_do_is_taken_as_it_comes() {
    let (_database, api) = start().await;
    let (id, open) = waiting(&api, named("a", "never")).await;
    let url = text(&open["callback_url"]);
    let path = url.strip_prefix(api.host.url()).expect("this host's");
    let gzip = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{\"paid\": true}").expect("memory");
        encoder.finish().expect("memory")
    };
    let long = "k".repeat(300);
    let odd: Vec<Delivery> = vec![
        ("?utm_source=x&signal=paid&a=%ff&b=%zz&c", vec![], b"1"),
        ("/", vec![], b"2"),
        ("//?signal=", vec![], b"3"),
        ("?signal=a&signal=b", vec![], b"4"),
        ("?signal=a%00", vec![], b"5"),
        ("", vec![("idempotency-key", b"")], b"6"),
        (
            "",
            vec![("idempotency-key", b"k"), ("idempotency-key", b"k")],
            b"7",
        ),
        ("", vec![("idempotency-key", long.as_bytes())], b"8"),
        ("", vec![("idempotency-key", b"\xff")], b"9"),
        ("", vec![("content-type", b"")], b"10"),
        ("", vec![("content-type", b"\xff\xfe")], b"11"),
        ("", vec![("content-type", b"no type at all")], b"12"),
        (
            "",
            vec![("content-type", b"application/x-www-form-urlencoded")],
            b"a=1&b=2",
        ),
        ("", vec![("content-encoding", b"gzip")], &gzip),
        ("", vec![("content-encoding", b"gzip")], b"not gzip"),
        ("", vec![("content-encoding", b"UTF-8")], b"13"),
        ("", vec![("expect", b"100-continue")], b"14"),
        (
            "",
            vec![
                ("origin", b"https://shop.example"),
                ("sec-fetch-site", b"cross-site"),
            ],
            b"15",
        ),
        ("", vec![("host", b"hooks.example.com")], b"16"),
        (
            "",
            vec![("range", b"\xff"), ("accept", b"text/nothing")],
            b"17",
        ),
    ];
    let count = odd.len();
    for (query, headers, body) in odd {
        let mut request = api.client.post(format!("{url}{query}"));
        for (name, value) in &headers {
            let value = HeaderValue::from_bytes(value).expect("a value");
            request = request.header(*name, value);
        }
        let response = request.body(body.to_vec()).send().await.expect("answers");
        let status = response.status();
        let shown = response.text().await.unwrap_or_default();
        assert_eq!(status, StatusCode::ACCEPTED, "{query} {headers:?}: {shown}");
    }
    let empty = format!("POST {path} HTTP/1.0\r\n\r\n");
    assert!(
        raw(&api, empty.as_bytes())
            .await
            .starts_with("HTTP/1.0 202")
    );
    let signals = of(&api, &id, "signals").await;
    assert_eq!(signals.len(), count + 1);
    let names: Vec<_> = signals[..5]
        .iter()
        .map(|it| text(&it["signal_name"]))
        .collect();
    assert_eq!(names, ["paid", "callback", "callback", "a", "callback"]);
    let brought = |at: usize| {
        (
            text(&signals[at]["content_type"]),
            text(&signals[at]["payload_base64"]),
        )
    };
    let plain = "application/octet-stream".to_owned();
    for at in [9, 10] {
        assert_eq!(brought(at).0, plain);
    }
    assert_eq!(brought(12).0, "application/x-www-form-urlencoded");
    assert_eq!(
        brought(13),
        (plain.clone(), "eyJwYWlkIjogdHJ1ZX0=".to_owned()),
        "unzipped"
    );
    assert_eq!(
        brought(14),
        (plain, "bm90IGd6aXA=".to_owned()),
        "byte for byte"
    );

    let asking = [("webhook-request-origin", "eventemitter.example.com")];
    let request = api.client.request(Method::OPTIONS, &url);
    let request = request.header(asking[0].0, asking[0].1);
    let response = request.send().await.expect("answers");
    assert_eq!(response.headers()["webhook-allowed-origin"], asking[0].1);
    assert!(
        response.headers()["allow"]
            .to_str()
            .expect("text")
            .contains("POST")
    );

    // A bad token stays one, and what unfolds beyond the cap is too large.
    let seen = post(&api, &format!("{url}&more/"), "").await;
    assert_eq!(problem(&seen), (403, "invalid_token".to_owned()));
    let bomb = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 16 << 20]).expect("memory");
        encoder.finish().expect("memory")
    };
    let seen = send(
        &api,
        Method::POST,
        &url,
        &[("content-encoding", "gzip")],
        bomb,
    )
    .await;
    assert_eq!(problem(&seen), (413, "payload_too_large".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_did_not_arrive_may_be_sent_again() {
    let database = database().await;
    let host = builder(&database).environment("FLOWHOST_HTTP_REQUEST_TIMEOUT_MS", "300");
    let api = Api::start(host, &[]).await;
    register(&api, "w", "w-1").await;
    let (_, open) = waiting(&api, named("a", "x")).await;
    let url = text(&open["callback_url"]);
    let path = url.strip_prefix(api.host.url()).expect("this host's");
    let slow = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\nab"
    );
    let answer = raw(&api, slow.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_is_one_source_and_names_what_it_may_send() {
    let (_database, api) = start().await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 2, "count_kind": "DistinctSources", "waitpoints": ["votes"],
    }});
    let (id, open) = waiting(&api, condition).await;
    let url = text(&open["callback_url"]);
    for _ in 0..3 {
        assert_eq!(post(&api, &url, "yes").await, accepted(202, "accepted"));
    }
    let body = json!({"signal_names": ["vote"], "actor": "alice"});
    let (status, second) = ask(&api, &id, "waitpoints/votes/token", body).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    let url = text(&second["callback_url"]);
    let refused = post(&api, &format!("{url}?signal=callback"), "").await;
    assert_eq!(problem(&refused), (403, "invalid_token".to_owned()));
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(
        info["public_state"], "suspended",
        "one source, however often"
    );
    assert_eq!(post(&api, &url, "yes").await, accepted(202, "accepted"));
    let signals = of(&api, &id, "signals").await;
    assert_eq!(
        signals[3]["signal_name"], "vote",
        "the only one it may send"
    );
    assert_eq!(signals[3]["effect"], "resume_condition_satisfied");
    assert_ne!(signals[0]["source_identity"], signals[3]["source_identity"]);
    let operations = of(&api, &id, "operations").await;
    assert_eq!(
        (&operations[0]["verb"], &operations[0]["actor"]),
        (&json!("mint_token"), &json!("alice"))
    );
    let token = text(&second["waitpoint_token"]);
    assert!(!json!(operations).to_string().contains(&token));
}

/// Percent-encodes what is no letter and no digit.
fn encoded(token: &str) -> String {
    token
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_token_gets_one_answer() {
    let (_database, api) = start().await;
    let (other, elsewhere) = waiting(&api, named("a", "x")).await;
    let brief = json!({"policy": {"retention_ms": 1}});
    let (id, lease) = held(&api, brief).await;
    let suspended = suspend(&api, &lease, named("a", "x"), json!({})).await;
    let open = &suspended["waitpoints"][0];
    let good = text(&open["waitpoint_token"]);
    let callbacks = format!("{}/v1/callbacks/", api.host.url());
    let by_callback = async |token: &str| {
        let url = format!("{callbacks}{}?signal=x", encoded(token));
        post(&api, &url, "{}").await
    };
    let by_signal = async |id: &str, token: &str, source: Option<&str>| {
        let body = json!({"waitpoint_token": token, "signal_name": "x", "source_identity": source});
        let url = format!("{}/v1/executions/{id}/signal", api.host.url());
        let json = [("content-type", "application/json")];
        send(&api, Method::POST, &url, &json, body.to_string()).await
    };
    let seen = by_callback("v1.x").await;
    assert_eq!(problem(&seen), (403, "invalid_token".to_owned()));
    assert_eq!(seen.2, "no-store");
    let same = |token: &str, other: Seen| {
        assert_eq!(
            (other.0, &other.1, &other.3),
            (seen.0, &seen.1, &seen.3),
            "{token}"
        );
    };

    let mut bad: Vec<String> = (0..good.len())
        .map(|place| {
            let mut bytes = good.clone().into_bytes();
            bytes[place] ^= 1;
            String::from_utf8(bytes).expect("ASCII")
        })
        .collect();
    let (_, expiring) = ask(&api, &id, "waitpoints/a/token", json!({"expires_in_ms": 1})).await;
    let (_, of_y) = ask(
        &api,
        &id,
        "waitpoints/a/token",
        json!({"signal_names": ["y"]}),
    )
    .await;
    let expired = text(&expiring["waitpoint_token"]);
    testkit::eventually("the token expired", async || {
        let (_, now) = ask(&api, &id, "waitpoints/a/token", json!({})).await;
        (text(&now["waitpoint_token"]) != expired && by_callback(&expired).await.0 == 403)
            .then_some(())
    })
    .await;
    bad.extend([
        expired,
        text(&of_y["waitpoint_token"]),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        " ".to_owned(),
        "x".repeat(4000),
        "\u{0}".to_owned(),
        "é".to_owned(),
    ]);
    for token in &bad {
        same(token, by_callback(token).await);
        same(token, by_signal(&id, token, None).await);
        same(token, by_signal(&id, token, Some("me")).await);
    }
    // Good, but not for this.
    let token = text(&elsewhere["waitpoint_token"]);
    same(&token, by_signal(&id, &token, None).await);
    same(&token, by_signal(&id, &token, Some("me")).await);
    let nobody = "00000000-0000-7000-8000-000000000000";
    same(&token, by_signal(nobody, &token, None).await);
    // A path that is no text.
    same(
        "%FF",
        post(&api, &format!("{callbacks}%FF?signal=x"), "{}").await,
    );
    for id in [&id, &other] {
        assert!(
            of(&api, id, "signals").await.is_empty(),
            "nothing was accepted"
        );
    }

    // Of a key that was taken away.
    let rotate = json!({"grace_ms": 0});
    let (status, body) = api.post("/v1/waitpoint-keys/rotate", rotate).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    same(&good, by_callback(&good).await);
    same(&good, by_signal(&id, &good, Some("me")).await);
    let (_, fresh) = ask(&api, &id, "waitpoints/a/token", json!({})).await;
    let fresh = text(&fresh["waitpoint_token"]);
    assert_eq!(by_callback(&fresh).await.0, 202, "and a new one is good");
    // Of an execution that was removed.
    let lease = text(&claim_one(&api, "w-1").await["lease"]);
    let done = json!({"lease": lease, "result": 1});
    assert_eq!(
        api.post("/v1/leases/complete", done).await.0,
        StatusCode::OK
    );
    testkit::eventually("it was removed", async || {
        let answer = api.get(&format!("/v1/executions/{id}")).await;
        (answer.0 == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    same(&fresh, by_callback(&fresh).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_come_to_the_public_url_and_no_log_shows_them() {
    let database = database().await;
    let host = builder(&database)
        .argument("--public-url")
        .argument("https://flow.example.com/hooks/")
        .argument("--log")
        .argument("trace");
    let api = Api::start(host, &[]).await;
    register(&api, "w", "w-1").await;
    let (id, lease) = held(&api, json!({})).await;
    let suspended = suspend(&api, &lease, named("a", "x"), json!({})).await;
    let open = &suspended["waitpoints"][0];
    let token = text(&open["waitpoint_token"]);
    assert_eq!(
        open["callback_url"],
        format!("https://flow.example.com/hooks/v1/callbacks/{token}")
    );
    let here = format!("{}/v1/callbacks/{token}", api.host.url());
    send(&api, Method::GET, &here, &[], "").await;
    send(&api, Method::OPTIONS, &format!("{here}/"), &[], "").await;
    post(&api, &format!("{here}/more"), "").await;
    post(&api, &format!("{here}%zz/?a=%ff"), "").await;
    post(&api, &format!("{here} /"), "").await;
    post(&api, &format!("{here}A"), "").await;
    post(&api, &format!("{here}?wrong=1"), "").await;
    assert_eq!(
        post(&api, &format!("{here}?signal=x"), "").await,
        accepted(202, "accepted")
    );
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["public_state"], "waiting");
    let (log, code_of_it) = (api.host.log(), token.rsplit('.').next().expect("a code"));
    assert!(log.len() > 10_000, "the log shows what happened");
    assert!(!log.contains(code_of_it), "and no token");
    let (_, metrics) = api.get("/metrics").await;
    let metrics = metrics.as_str().unwrap_or_default();
    assert!(!metrics.contains(code_of_it));
    let refused = "flowhost_signals_total{outcome=\"invalid_token\"} 2\n";
    assert!(metrics.contains(refused), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_read_secrets_tells_outsiders_nothing_of_it() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    register(&api, "w", "w-1").await;
    let (id, open) = waiting(&api, named("a", "x")).await;
    let token = text(&open["waitpoint_token"]);
    let other = builder(&database).environment("FLOWHOST_SECRETS_KEY", "ab".repeat(32));
    let other = Api::start(other, &[]).await;
    let url = format!("{}/v1/callbacks/{token}", other.host.url());
    let seen = post(&other, &url, "").await;
    assert_eq!(problem(&seen), (503, "unavailable".to_owned()));
    assert!(!seen.3.contains("secret"), "{}", seen.3);
    let body = json!({"waitpoint_token": token, "signal_name": "x"});
    let refused = ask(&other, &id, "signal", body).await;
    assert_eq!(code(&refused), (503, "secrets_key"), "its operator is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_hands_out_an_address_and_goes_on_with_what_is_posted_there() {
    let database = database().await;
    let api = Api::start(builder(&database), &["callback"]).await;
    let order = json!({"kind": "callback", "input": {"order": "A-17"}});
    let id = api.create(order).await;
    api.until(&id, "suspended").await;
    let attempts = api.attempts(&id).await;
    let log = text(&attempts[0]["leases"][0]["log"]);
    let (_, rest) = log.split_once("waits for ").expect("an address");
    let url = rest.split_whitespace().next().expect("an address");
    let prefix = format!("{}/v1/callbacks/", api.host.url());
    assert!(url.starts_with(&prefix), "{url}");
    let headers = [("content-type", "application/json; charset=utf-8")];
    let seen = send(&api, Method::POST, url, &headers, "{\"paid\":  true}").await;
    assert_eq!(seen, accepted(202, "accepted"));
    assert_eq!(api.wait(&id).await["public_state"], "completed");
    let (content_type, result) = api.result(&id).await;
    assert_eq!(content_type, "application/json; charset=utf-8");
    assert_eq!(result, b"{\"paid\":  true}");
    database.assert_invariants().await;
}
