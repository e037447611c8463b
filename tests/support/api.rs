//! A client for the tests: what a program would do over HTTP.

use std::process::Command;
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use testkit::{Database, Host, HostBuilder, eventually, guest};

/// A host and a client that speaks to it.
pub(crate) struct Api {
    pub(crate) host: Host,
    pub(crate) client: Client,
}

/// A status and a JSON body.
pub(crate) type Answer = (StatusCode, Value);

/// Begins a host of the binary under test.
pub(crate) fn builder(database: &Database) -> HostBuilder {
    builder_at(database.url())
}

/// Begins a host on the database at `url`.
pub(crate) fn builder_at(url: &str) -> HostBuilder {
    HostBuilder::new(env!("CARGO_BIN_EXE_flowhost"), url)
}

fn client() -> Client {
    // Fails only if another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

impl Api {
    /// Starts a host and publishes components under their own names.
    pub(crate) async fn start(builder: HostBuilder, guests: &[&str]) -> Self {
        let host = tokio::task::spawn_blocking(|| builder.start())
            .await
            .expect("started");
        let api = Self {
            host,
            client: client(),
        };
        for name in guests {
            let (status, body) = api.publish(guest(name), name).await;
            assert!(status.is_success(), "{name}: {body}");
        }
        api
    }

    /// Publishes a component and waits for the end, however long it is compiled.
    pub(crate) async fn publish(&self, bytes: Vec<u8>, kind: &str) -> Answer {
        let mut request = self
            .client
            .post(format!("{}/v1/components?kind={kind}", self.host.url()))
            .header("content-type", "application/wasm")
            .body(bytes);
        loop {
            let patient = request.header("prefer", "wait=60");
            let response = patient.send().await.expect("the host answers");
            if response.status() != StatusCode::ACCEPTED {
                return answer(response).await;
            }
            let place = response.headers()["location"].to_str().expect("text");
            request = self.client.get(format!("{}{place}", self.host.url()));
        }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.host.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        match request.send().await {
            Ok(response) => answer(response).await,
            Err(error) => panic!("{path}: {error:?}\n{}", self.host.log()),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Creates an execution and returns its id.
    pub(crate) async fn create(&self, body: Value) -> String {
        let (status, body) = self.post("/v1/executions", body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Waits for the end of an execution and returns it.
    pub(crate) async fn wait(&self, id: &str) -> Value {
        for _ in 0..12 {
            let (status, body) = self
                .get(&format!("/v1/executions/{id}/wait?timeout_ms=5000"))
                .await;
            if status == StatusCode::OK {
                return body;
            }
            assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        }
        panic!("{id} does not end\n{}", self.host.log())
    }

    /// Creates an execution, waits for its end and returns it.
    pub(crate) async fn run(&self, body: Value) -> Value {
        let id = self.create(body).await;
        self.wait(&id).await
    }

    pub(crate) async fn result(&self, id: &str) -> (String, Vec<u8>) {
        let url = format!("{}/v1/executions/{id}/result", self.host.url());
        let response = self.client.get(url).send().await.expect("the host answers");
        assert_eq!(response.status(), StatusCode::OK);
        let content_type = response.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        (
            content_type,
            response.bytes().await.expect("a body").to_vec(),
        )
    }

    /// Waits until an execution is in a public state.
    pub(crate) async fn until(&self, id: &str, state: &str) -> Value {
        eventually(&format!("{id} is {state}"), async || {
            let (_, body) = self.get(&format!("/v1/executions/{id}")).await;
            (body["public_state"] == state).then_some(body)
        })
        .await
    }

    /// Returns the number of a metric of the host.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, page) = self.get("/metrics").await;
        let page = page.as_str().expect("text");
        page.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }

    /// Lists the attempts of an execution.
    pub(crate) async fn attempts(&self, id: &str) -> Vec<Value> {
        let (status, body) = self
            .get(&format!("/v1/executions/{id}/attempts?limit=1000"))
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["next_cursor"], Value::Null, "one page has all");
        body["attempts"].as_array().expect("a list").clone()
    }
}

async fn answer(response: Response) -> Answer {
    let status = response.status();
    let bytes = response.bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (status, body)
}

/// A request for one attempt and no more.
pub(crate) fn once(kind: &str, input: &str) -> Value {
    json!({
        "kind": kind,
        "input_text": input,
        "policy": {"retry_policy": {"max_retries": 0}},
    })
}

/// How long a test gives a host to notice something.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The status and the code of a problem.
pub(crate) fn code(answer: &Answer) -> (u16, &str) {
    let code = answer.1["code"].as_str().unwrap_or_default();
    (answer.0.as_u16(), code)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// An object with more members.
pub(crate) fn with(mut body: Value, more: Value) -> Value {
    let members = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    body
}

/// Runs a command against the host; returns its exit code, output and errors.
pub(crate) async fn flowhost(api: &Api, arguments: &[&str]) -> (i32, String, String) {
    command(&[&["--url", api.host.url()], arguments].concat()).await
}

/// Runs a command; returns its exit code, output and errors.
pub(crate) async fn command(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowhost"));
    command.args(arguments).env("USER", "bob");
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs"))
        .await
        .expect("runs");
    (
        output.status.code().expect("exits"),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}
