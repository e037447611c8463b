//! What a page of another site makes a browser send: refused on every route there is,
//! and noticed by no program.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder};
use crate::support::routes::{filled, routes};

type Marks = &'static [(&'static str, &'static str)];

/// Sends a request with these headers; returns its status and the code of its problem.
async fn send(api: &Api, method: &Method, path: &str, marks: Marks, body: &str) -> (u16, String) {
    let url = format!("{}{path}", api.host.url());
    let mut request = api.client.request(method.clone(), url);
    for (name, value) in marks {
        request = request.header(*name, *value);
    }
    if *method != Method::GET {
        // As a form or a script may send without asking first.
        request = request
            .header("content-type", "text/plain")
            .body(body.to_owned());
    }
    let response = request.send().await.expect("the host answers");
    let status = response.status().as_u16();
    let problem: Value = response.json().await.unwrap_or_default();
    (
        status,
        problem["code"].as_str().unwrap_or_default().to_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_accepts_requests_from_a_page_of_another_site() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let work = json!({"kind": "echo", "input": 1}).to_string();
    let foreign: [Marks; 5] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
        ],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "http://127.0.0.1:1"),
        ],
        &[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ],
    ];
    let mut wrong = Vec::new();
    for (method, path) in routes(&api).await {
        let path = filled(&path);
        let probe = ["/healthz", "/readyz"].contains(&path.as_str());
        let rebound: Marks = &[("host", "evil.example:7070")];
        let seen = send(&api, &method, &path, rebound, &work).await;
        if !probe && seen != (403, "foreign_host".to_owned()) {
            wrong.push(format!("{method} {path} {rebound:?}: {seen:?}"));
        }
        for marks in foreign {
            // Reading changes nothing, and the page cannot see what was read.
            let reads = method == Method::GET && !marks.contains(&foreign[2][1]);
            let seen = send(&api, &method, &path, marks, &work).await;
            if !reads && seen != (403, "cross_site_request".to_owned()) {
                wrong.push(format!("{method} {path} {marks:?}: {seen:?}"));
            }
        }
        let plain = send(&api, &method, &path, &[], &work).await;
        let own: Marks = &[("sec-fetch-site", "same-origin")];
        let by_own = send(&api, &method, &path, own, &work).await;
        if plain.0 == 403 || by_own.0 == 403 {
            wrong.push(format!("{method} {path}: {plain:?} {by_own:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A body of any type is an input when the query names the kind.
    let raw = "/v1/executions?kind=echo";
    let seen = send(&api, &Method::POST, raw, foreign[2], "x").await;
    assert_eq!(seen, (403, "cross_site_request".to_owned()));
    let (_, page) = api.get("/v1/executions").await;
    assert_eq!(page["executions"], json!([]), "no work was made");
    let seen = send(&api, &Method::POST, raw, &[], "x").await;
    assert_eq!(seen.0, 201, "a program may");
    assert_eq!(
        send(&api, &Method::GET, "/v1/nothing", foreign[2], "")
            .await
            .0,
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_configures_the_hosts_and_origins_that_may_call() {
    let database = database().await;
    let host = builder(&database)
        .environment(
            "FLOWHOST_HTTP_ALLOWED_HOSTS",
            "flow.internal, Flow.example.com",
        )
        .environment(
            "FLOWHOST_HTTP_ALLOWED_ORIGINS",
            "https://console.example.com",
        );
    let api = Api::start(host, &[]).await;
    for name in ["flow.internal", "flow.example.com:80"] {
        let url = format!("{}/v1/lanes", api.host.url());
        let answer = api.client.get(url).header("host", name).send().await;
        assert_eq!(answer.expect("answers").status(), StatusCode::OK, "{name}");
    }
    let page = |method: Method| {
        let url = format!("{}/v1/lanes/night", api.host.url());
        let request = api.client.request(method, url);
        request
            .header("origin", "https://console.example.com")
            .header("sec-fetch-site", "cross-site")
    };
    let asked = page(Method::OPTIONS).header("access-control-request-method", "PUT");
    let answer = asked.send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let methods = answer.headers()["access-control-allow-methods"].to_str();
    assert!(methods.expect("text").contains("PUT"));
    let put = page(Method::PUT).json(&json!({"state": "paused"}));
    let answer = put.send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.headers()["access-control-allow-origin"],
        "https://console.example.com"
    );
    let (status, out, _) = crate::support::api::flowhost(&api, &["doctor", "--json"]).await;
    assert!([0, 1].contains(&status), "{out}");
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    let findings = shown["findings"].as_array().expect("a list");
    let browsers = findings.iter().find(|it| it["what"] == "browsers");
    let detail = browsers.expect("looked at")["detail"].as_str();
    assert!(detail.expect("text").contains("localhost"), "{browsers:?}");
}
