//! The bounds in the description of the API are those that the host applies: what is
//! within them is not refused as invalid, and what is one beyond is.

use std::cell::Cell;

use model::{CancelSource, patterns};
use regex_lite::Regex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::requests::{ANY_ID, Described};
use crate::support::api::Api;
use crate::support::http_work::{claim_one, start, word};

/// A URL that is valid and leads nowhere.
const URL: &str = "https://example.invalid/";

/// Codes of requests that break a bound.
const INVALID: [&str; 16] = [
    "count_limit_exceeds_hard_cap",
    "flow_too_large",
    "invalid_blocking_reason",
    "invalid_capabilities",
    "invalid_frame_type",
    "invalid_grace_ms",
    "invalid_id",
    "invalid_input",
    "invalid_kid",
    "invalid_policy_json",
    "invalid_query",
    "invalid_secret_hex",
    "invalid_tag_key",
    "invalid_waitpoint_key",
    "malformed_json",
    "retention_limit_exceeded",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_host_refuses_what_is_beyond_a_documented_bound_and_nothing_within() {
    let (_database, api) = start().await;
    let (_, document) = api.get("/openapi.json").await;
    let described = Described::new(document);
    let sender = Sender {
        api,
        keys: Cell::new(0),
    };
    let mut broken = Vec::new();
    let mut cases = 0;
    for (path, methods) in described.document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            for (request, within) in described.requests(operation) {
                let shown = request.to_string();
                // A member is kept as long as its flow, so a policy of it has no such bound.
                let of_flow = ["flows_create", "flows_grow", "leases_start_children"];
                let id = operation["operationId"].as_str().unwrap_or_default();
                if of_flow.contains(&id) && shown.contains("retention_ms") {
                    continue;
                }
                cases += 1;
                let (status, code) = sender.send(&method, path, request).await;
                assert!(status.as_u16() < 500, "{method} {path} {shown}: {code}");
                if within == INVALID.contains(&code.as_str()) {
                    let given = shown.chars().take(300).collect::<String>();
                    broken.push(format!("{method} {path} {given}: within {within}, {code}"));
                }
            }
        }
    }
    assert!(cases > 500, "{cases} cases");
    assert!(
        broken.is_empty(),
        "{} of {cases}\n{}",
        broken.len(),
        broken.join("\n")
    );
}

/// Sends the requests, with executions and leases that are there.
struct Sender {
    api: Api,
    /// How many API keys and webhooks were made.
    keys: Cell<u32>,
}

impl Sender {
    /// Sends a request; returns the status and the code of the problem, or of the problem
    /// of its only item.
    async fn send(&self, method: &Method, path: &str, mut request: Value) -> (StatusCode, String) {
        let mut url = path.to_owned();
        if path.starts_with("/v1/flows/{id}") && request["path"]["id"] == ANY_ID {
            let body = json!({"kind": "empty"});
            request["path"]["id"] = self.api.post("/v1/flows", body).await.1["flow_id"].clone();
        }
        if path.contains("{id}") && request["path"]["id"] == ANY_ID {
            let running = ["/complete", "/fail", "/delay", "/revoke-lease"];
            request["path"]["id"] = if running.iter().any(|end| path.ends_with(end)) {
                self.lease().await["id"].clone()
            } else if path.ends_with("/wait") {
                json!(ANY_ID)
            } else {
                json!(self.api.create(word("x")).await)
            };
        }
        if path.starts_with("/v1/tokens/{id}") {
            request["path"]["id"] = self.api_key().await;
        }
        if path.starts_with("/v1/webhooks/{id}") {
            request["path"]["id"] = self.webhook().await;
        }
        if path.ends_with("/claim") {
            self.api.create(word("x")).await;
        }
        if path.starts_with("/v1/events/") && request["query"]["after"].is_null() {
            // So that there is an event, and none is waited for.
            self.lease().await;
            request["query"]["after"] = json!("beginning");
        }
        for (name, value) in request["path"].as_object().into_iter().flatten() {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            url = url.replace(&format!("{{{name}}}"), &escaped(&value));
        }
        let mut separator = '?';
        for (name, value) in request["query"].as_object().into_iter().flatten() {
            for value in value.as_array().unwrap_or(&vec![value.clone()]) {
                let value = value.as_str().map_or(value.to_string(), str::to_owned);
                url.push_str(&format!("{separator}{name}={}", escaped(&value)));
                separator = '&';
            }
        }
        let url = format!("{}{url}", self.api.host.url());
        let mut asked = self.api.client.request(method.clone(), url);
        if request["raw"] == true {
            asked = asked
                .header("content-type", "application/octet-stream")
                .body("x");
        } else if !request["body"].is_null() {
            let mut body = request["body"].take();
            self.give_rights(&mut body).await;
            asked = asked.json(&body);
        }
        let response = asked.send().await.expect("the host answers");
        let status = response.status();
        let bytes = response.bytes().await.expect("a body");
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let of_item = &answer["results"][0]["problem"]["code"];
        let code = answer["code"].as_str().or(of_item.as_str());
        (status, code.unwrap_or_default().to_owned())
    }

    /// Puts handles and tokens that are valid into a body.
    async fn give_rights(&self, body: &mut Value) {
        if body["lease"].is_string() {
            body["lease"] = self.lease().await["lease"].clone();
        }
        let leases = body.get_mut("leases").and_then(Value::as_array_mut);
        if let Some([item]) = leases.map(Vec::as_mut_slice) {
            let lease = self.lease().await["lease"].clone();
            match item {
                Value::Object(item) => {
                    item.insert("lease".to_owned(), lease);
                    if item.contains_key("delay_until") {
                        item.remove("delay_ms");
                    }
                }
                handle => *handle = lease,
            }
        }
        if !body["delay_until"].is_null() && body["delay_ms"].is_number() {
            // Only one of them is given.
            body["delay_ms"].take();
        }
        let fence = ["lease_id", "epoch", "attempt"];
        if fence.iter().any(|part| !body[part].is_null()) {
            // They are about one lease together.
            let absent = json!({
                "source": "lease_holder", "lease_id": ANY_ID, "epoch": 1, "attempt": 0,
            });
            for (name, value) in absent.as_object().expect("an object") {
                if body[name].is_null() {
                    body[name] = value.clone();
                }
            }
        }
        if body["url"].is_string() {
            body["url"] = json!(URL);
        }
        if body["secret"].is_string() {
            body["secret"] = json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        }
        if body["waitpoint_token"].is_string() {
            let lease = self.lease().await["lease"].clone();
            let made = self
                .api
                .post("/v1/leases/waitpoints", json!({"lease": lease}));
            body["waitpoint_token"] = made.await.1["waitpoint_token"].clone();
        }
    }

    /// Returns the id of a new API key.
    async fn api_key(&self) -> Value {
        self.keys.set(self.keys.get() + 1);
        let body = json!({"name": format!("of-bounds-{}", self.keys.get()), "role": "viewer"});
        self.api.post("/v1/tokens", body).await.1["key"]["id"].clone()
    }

    /// Returns the id of a new webhook.
    async fn webhook(&self) -> Value {
        self.keys.set(self.keys.get() + 1);
        let name = format!("of-bounds-{}", self.keys.get());
        let body = json!({"name": name, "url": URL, "family": "registry"});
        self.api.post("/v1/webhooks", body).await.1["webhook"]["id"].clone()
    }

    /// Returns a claimed execution.
    async fn lease(&self) -> Value {
        self.api.create(word("x")).await;
        claim_one(&self.api, "w-1").await
    }
}

/// Escapes every byte that is not a letter or digit.
fn escaped(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(escaped).collect()
}

#[test]
fn every_pattern_fits_what_its_check_accepts() {
    type Check = (&'static str, &'static str, fn(&str) -> bool);
    let checks: [Check; 9] = [
        (patterns::IDENTIFIER, "", |it| model::kind_name(it).is_ok()),
        (patterns::IDENTIFIER, "a", |it| {
            model::namespace_name(it).is_ok()
        }),
        (patterns::PRINTABLE, "", |it| model::lane_name(it).is_ok()),
        (patterns::PLAIN, "", |it| model::signal_name(it).is_ok()),
        (patterns::STORABLE, "", |it| {
            model::idempotency_key(it).is_ok()
        }),
        (patterns::TAG_KEY, "a.", |it| model::tag_key(it).is_ok()),
        (patterns::FAILURE_CODE, "", |it| {
            model::failure_code(it).is_ok()
        }),
        (patterns::CANCEL_SOURCE, "", |it| {
            CancelSource::of_caller(it).is_ok()
        }),
        (patterns::KID, "", |it| model::waitpoint_kid(it).is_ok()),
    ];
    for (pattern, begin, accepts) in checks {
        let regex = Regex::new(pattern).expect(pattern);
        for c in ('\0'..='\u{2100}').chain(['\u{1f600}']) {
            for given in [
                format!("{begin}{c}"),
                format!("{begin}{c}a"),
                format!("{begin}a{c}"),
            ] {
                assert_eq!(
                    regex.is_match(&given),
                    accepts(&given),
                    "{pattern} {given:?}"
                );
            }
        }
    }
}
