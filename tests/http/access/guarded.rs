//! Credentials for the tests of access: a host that wants them, and keys of every role.

use engine::{CreateApiKey, Engine};
use model::{Role, RoleGrant};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use testkit::{Answered, Database, Host, database};
use uuid::Uuid;

use crate::support::api::builder;

/// A host that wants a credential of every caller, and an engine beside it.
pub(crate) struct Guarded {
    pub(crate) database: Database,
    pub(crate) engine: Engine,
    pub(crate) host: Host,
    client: reqwest::Client,
}

/// An API key, and its text.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: Uuid,
    pub(crate) text: String,
}

/// A status and the bytes of a body.
pub(crate) type Raw = (u16, String);

impl Guarded {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let database = database().await;
        let engine = database.engine().await;
        let host = another_host(&database).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            database,
            engine,
            host,
            client: reqwest::Client::new(),
        }
    }

    /// Makes a key with a role in a namespace, or in all.
    pub(crate) async fn key(&self, name: &str, role: Role, namespace: Option<&str>) -> Key {
        let create = CreateApiKey {
            name: name.to_owned(),
            grant: RoleGrant {
                role,
                namespace: namespace.map(str::to_owned),
            },
            expires_in_ms: None,
            actor: "tests".to_owned(),
        };
        let created = self.engine.create_api_key(create).await.accepted();
        Key {
            id: created.id,
            text: created.text.reveal().to_owned(),
        }
    }

    /// Asks the host with a bearer, or without one.
    pub(crate) async fn raw(
        &self,
        bearer: Option<&str>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Raw {
        let url = format!("{}{path}", self.host.url());
        let mut request = self.client.request(method, url);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the host answers");
        let status = response.status().as_u16();
        (status, response.text().await.expect("text"))
    }

    /// Asks the host with a key, and reads the answer.
    pub(crate) async fn ask(
        &self,
        key: &Key,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let (status, text) = self.raw(Some(&key.text), method, path, body.as_ref()).await;
        let status = StatusCode::from_u16(status).expect("a status");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, key: &Key, path: &str) -> (StatusCode, Value) {
        self.ask(key, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, key: &Key, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(key, Method::POST, path, Some(body)).await
    }

    /// Creates an execution with a key.
    pub(crate) async fn create(&self, key: &Key, body: Value) -> String {
        let (status, body) = self.post(key, "/v1/executions", body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Creates an execution of the kind `word`, and claims it; returns its id and its lease.
    pub(crate) async fn held(&self, creator: &Key, worker: &Key, more: Value) -> (String, Value) {
        let body = crate::support::api::with(crate::support::http_work::word("x"), more);
        let id = self.create(creator, body).await;
        let claim = serde_json::json!({"kinds": ["word"], "wait_ms": 10_000});
        let (status, claimed) = self.post(worker, "/v1/workers/w-1/claim", claim).await;
        assert_eq!(status, StatusCode::OK, "{claimed}");
        let claimed = claimed["executions"][0].clone();
        assert_eq!(claimed["id"], id.as_str());
        (id, claimed)
    }

    /// Makes the kind `word` known.
    pub(crate) async fn word(&self) {
        self.engine.define_kind("word").await.accepted();
    }
}

/// Starts another host on the database of one.
pub(crate) async fn another_host(database: &Database) -> Host {
    let builder = builder(database)
        .argument("--require-credentials")
        .argument("--slots")
        .argument("0");
    let started = tokio::task::spawn_blocking(|| builder.start());
    started.await.expect("started")
}
