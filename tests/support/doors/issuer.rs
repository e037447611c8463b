//! An OpenID Connect issuer: a process of Node.js that ends with its test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::{Value, json};
use server::config::{Oidc, Rule};

/// A running issuer; killed when dropped.
pub(crate) struct Issuer {
    child: Child,
    pub(crate) url: String,
    pub(crate) audience: String,
    client: Client,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Issuer {
    /// Starts an issuer whose tokens last for so many seconds.
    pub(crate) fn start(seconds: u32) -> Self {
        // Fails only if another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/oidc");
        let installed = std::path::Path::new(folder).join("node_modules/oidc-provider");
        assert!(
            installed.exists(),
            "no {}: run `make clients`",
            installed.display()
        );
        let mut child = Command::new("node")
            .args(["issuer.mjs", &seconds.to_string()])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts: `make clients` installs it");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let text = |name: &str| said[name].as_str().expect("a text").to_owned();
        let (url, audience) = (text("issuer"), text("audience"));
        let client = Client::builder().no_proxy().build().expect("a client");
        Self {
            child,
            url,
            audience,
            client,
        }
    }

    /// Returns the settings of a host that accepts its tokens; `ops` are operators.
    pub(crate) fn settings(&self) -> Oidc {
        let rule = json!({"claim": "groups", "contains": "ops", "role": "operator"});
        let rule: Rule = serde_json::from_value(rule).expect("a rule");
        Oidc {
            issuer: Some(self.url.clone()),
            audience: Some(self.audience.clone()),
            rules: vec![rule],
            ..Oidc::default()
        }
    }

    /// Returns a token as its clients get them.
    pub(crate) async fn token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", "of-the-robot"),
            ("resource", &self.audience),
        ];
        let request = self.client.post(format!("{}/token", self.url)).form(&form);
        let answer = request.send().await.expect("it answers");
        let answer: Value = answer.json().await.expect("JSON");
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Has it do something that only an issuer of tests does.
    pub(crate) async fn control(&self, what: &str, body: Value) -> Value {
        let url = format!("{}/test/{what}", self.url);
        let answer = self.client.post(url).json(&body).send().await;
        let answer = answer.expect("it answers");
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
        answer.json().await.expect("JSON")
    }

    /// Has it sign a token, with a key it names: `rs`, `es`, `stranger`, or what is public
    /// of its own as a shared one.
    pub(crate) async fn mint(&self, header: Value, claims: Value, key: &str) -> String {
        let body = json!({"header": header, "claims": claims, "key": key});
        let minted = self.control("mint", body).await;
        minted.as_str().expect("a token").to_owned()
    }

    /// Returns the ids of its keys.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let keys = self.control("keys", json!({})).await;
        serde_json::from_value(keys).expect("texts")
    }

    /// Returns claims that a host accepts, but for what is changed.
    pub(crate) fn claims(&self, change: Value) -> Value {
        let now = seconds_now();
        let mut claims = json!({
            "iss": self.url, "aud": self.audience, "sub": "robot",
            "iat": now, "exp": now + 300, "groups": ["ops"],
        });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in change.as_object().expect("an object") {
            match value {
                Value::Null => members.remove(name),
                value => members.insert(name.clone(), value.clone()),
            };
        }
        claims
    }
}

/// Returns the time in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens carry the time of their issuer, which is this machine's"
)]
pub(crate) fn seconds_now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
