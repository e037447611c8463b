//! Requests to a callback URL, as browsers, webhooks and people send them.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::database;

use super::client::{accepted, post, problem, raw, send};
use crate::support::api::{Api, builder, text};
use crate::support::http_waiting::{ask, named, of, waiting};
use crate::support::http_work::{claim_one, register, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_accepts_any_bytes() {
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

/// What follows the address, headers, and the body.
type Delivery<'a> = (&'a str, Vec<(&'a str, &'a [u8])>, &'a [u8]);

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_accepts_the_requests_that_webhooks_send() {
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
async fn a_signal_may_be_sent_again_after_a_lost_answer() {
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
async fn a_handler_resumes_with_the_payload_posted_to_its_callback_url() {
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
