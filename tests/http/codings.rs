//! Bodies with a content encoding: every route that takes a body undoes it, within its
//! cap, and refuses one it does not know.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{database, guest};

use crate::support::api::{Api, builder};
use crate::support::routes::filled;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Sends JSON in a coding; returns status, code and the header that tells which are
/// understood.
async fn send(
    api: &Api,
    method: &Method,
    path: &str,
    coding: &str,
    body: Vec<u8>,
) -> (u16, String, Option<String>) {
    let url = format!("{}{path}", api.host.url());
    let mut request = api.client.request(method.clone(), url);
    if !coding.is_empty() {
        request = request.header("content-encoding", coding);
    }
    let request = request
        .header("content-type", "application/json")
        .body(body);
    let response = request.send().await.expect("the host answers");
    let status = response.status().as_u16();
    let understood = response.headers().get("accept-encoding");
    let understood = understood.map(|it| it.to_str().expect("text").to_owned());
    let body: Value = response.json().await.unwrap_or_default();
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    (status, code, understood)
}

/// Every route that takes JSON.
async fn with_json(api: &Api) -> Vec<(Method, String)> {
    let (_, document) = api.get("/openapi.json").await;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, route) in methods.as_object().expect("methods") {
            let content = &route["requestBody"]["content"];
            if !content["application/json"].is_null() {
                let method = method.to_uppercase().parse().expect("a method");
                found.push((method, filled(path)));
            }
        }
    }
    assert!(found.len() > 35, "{}", found.len());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_decodes_its_body_within_its_cap() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    // Longer than the cap of small bodies, and than every cap when it is unfolded.
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 65 << 10, "{}", bomb.len());
    // A host that cannot decode it takes its bytes for broken JSON; one that can, for
    // JSON with a member too many.
    let body = json!({"no_such_member": 1}).to_string().into_bytes();
    let mut wrong = Vec::new();
    for (method, path) in with_json(&api).await {
        let plain = send(&api, &method, &path, "", body.clone()).await;
        for (coding, encoded) in [
            ("gzip", gzip(&body)),
            ("x-gzip", gzip(&body)),
            ("deflate", zlib(&body)),
            ("identity", body.clone()),
        ] {
            let seen = send(&api, &method, &path, coding, encoded).await;
            if seen != plain {
                wrong.push(format!("{method} {path} {coding}: {seen:?}, not {plain:?}"));
            }
        }
        for (coding, encoded, status, code) in [
            ("br", body.clone(), 415, "unsupported_encoding"),
            ("gzip, gzip", body.clone(), 415, "unsupported_encoding"),
            ("gzip", body.clone(), 400, "malformed_encoding"),
            (
                "deflate",
                zlib(&body)[..12].to_vec(),
                400,
                "malformed_encoding",
            ),
            ("gzip", bomb.clone(), 413, "payload_too_large"),
        ] {
            let seen = send(&api, &method, &path, coding, encoded).await;
            let told = seen.2.as_deref() == Some("gzip, deflate, identity");
            if (seen.0, seen.1.as_str()) != (status, code) || told != (status == 415) {
                wrong.push(format!(
                    "{method} {path} {coding}: {seen:?}, not {status} {code}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_components_arrive_decoded() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let request = api
        .client
        .post(format!("{}/v1/components?kind=echo", api.host.url()))
        .header("content-type", "application/wasm")
        .header("content-encoding", "gzip")
        .body(gzip(&guest("echo")));
    let response = request.send().await.expect("the host answers");
    assert_eq!(response.status().as_u16(), 201);
    let text = "a text of its own ".repeat(1000);
    let request = api
        .client
        .post(format!("{}/v1/executions?kind=echo", api.host.url()))
        .header("content-type", "text/plain")
        .header("content-encoding", "gzip")
        .body(gzip(text.as_bytes()));
    let response = request.send().await.expect("the host answers");
    let created: Value = response.json().await.expect("JSON");
    let id = created["id"].as_str().expect("an id");
    assert_eq!(api.wait(id).await["public_state"], "completed");
    let result = api.result(id).await;
    assert_eq!(result, ("text/plain".to_owned(), text.into_bytes()));
}
