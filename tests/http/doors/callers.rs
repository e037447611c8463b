//! Callers with tokens and certificates: what their roles let them do, and where.

use std::fs;
use std::process::Stdio;

use reqwest::{Client, Identity, Method};
use serde_json::{Value, json};
use testkit::{Database, Host, database};

use crate::support::api::builder;
use crate::support::doors::certificates::Certificates;
use crate::support::doors::issuer::Issuer;

/// Roles of a caller whose token is of the group `dev`: one in each of two namespaces.
const RULES: &str = r#"
[[oidc.rules]]
claim = "groups"
contains = "dev"
role = "submitter"
namespace = "a"

[[oidc.rules]]
claim = "groups"
contains = "dev"
role = "operator"
namespace = "b"
"#;

/// Starts a host that wants credentials and knows the kind `word`, with a file of settings and
/// arguments.
async fn start(database: &Database, settings: &str, arguments: &[String]) -> Host {
    let defined = database.engine().await.define_kind("word").await;
    defined.expect("defined");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("host.toml");
    fs::write(&file, settings).expect("written");
    let mut builder = builder(database)
        .argument("--config")
        .argument(file.display().to_string())
        .argument("--require-credentials");
    for argument in arguments {
        builder = builder.argument(argument);
    }
    let started = tokio::task::spawn_blocking(|| builder.start()).await;
    drop(dir);
    started.expect("started")
}

/// Asks with a bearer, or without one.
async fn ask(
    client: &Client,
    bearer: Option<&str>,
    method: Method,
    url: String,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request = client.request(method, url);
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("the host answers");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_roles_in_several_namespaces_acts_where_each_is_held() {
    let issuer = Issuer::start(300);
    let database = database().await;
    let settings = format!(
        "[oidc]\nissuer = \"{}\"\naudience = \"{}\"\n{RULES}",
        issuer.url, issuer.audience
    );
    let host = start(&database, &settings, &[]).await;
    let keys = issuer.keys().await;
    let header = json!({"alg": "RS256", "kid": keys[0], "typ": "at+jwt"});
    let token = issuer
        .mint(header, issuer.claims(json!({"groups": ["dev"]})), "rs")
        .await;
    let client = Client::new();
    let asks = async |method: Method, path: &str, body: Option<Value>| {
        let url = format!("{}{path}", host.url());
        ask(&client, Some(&token), method, url, body).await
    };
    let create = async |namespace: Option<&str>| {
        let body = json!({"kind": "word", "namespace": namespace});
        asks(Method::POST, "/v1/executions", Some(body)).await
    };
    let told = |answer: &(u16, Value)| (answer.0, answer.1["code"].as_str().map(str::to_owned));
    let refused = |status: u16, code: &str| (status, Some(code.to_owned()));

    let which = create(None).await;
    assert_eq!(
        told(&which),
        refused(422, "namespace_required"),
        "{which:?}"
    );
    assert_eq!(which.1["namespaces"], json!(["a", "b"]));
    let missing = create(Some("c")).await;
    assert_eq!(told(&missing), refused(403, "role_missing"), "{missing:?}");
    let mut made = Vec::new();
    for namespace in ["a", "b"] {
        let (status, created) = create(Some(namespace)).await;
        assert_eq!(status, 201, "{created}");
        let id = created["id"].as_str().expect("an id").to_owned();
        // The namespace is that of the execution in the path.
        let (status, info) = asks(Method::GET, &format!("/v1/executions/{id}"), None).await;
        assert_eq!((status, &info["namespace"]), (200, &json!(namespace)));
        assert_eq!(info["creator"], "oidc:robot");
        let path = format!("/v1/executions?namespace={namespace}");
        let (_, page) = asks(Method::GET, &path, None).await;
        assert_eq!(page["executions"][0]["id"], id.as_str(), "{page}");
        made.push(id);
    }
    let which = asks(Method::GET, "/v1/executions", None).await;
    assert_eq!(
        told(&which),
        refused(422, "namespace_required"),
        "{which:?}"
    );
    // An operator in b alone: what is in a is not there for the verb.
    let path = format!("/v1/executions/{}/cancel", made[0]);
    let gone = asks(Method::POST, &path, Some(json!({}))).await;
    assert_eq!(told(&gone), refused(404, "execution_not_found"), "{gone:?}");
    let path = format!("/v1/executions/{}/cancel", made[1]);
    let (status, done) = asks(Method::POST, &path, Some(json!({}))).await;
    assert_eq!(status, 200, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_a_credential_with_the_roles_of_its_name() {
    let certificates = Certificates::new();
    let database = database().await;
    let settings = r#"
[tls.clients]
"worker-*" = [{ role = "worker", namespace = "a" }]
"#;
    let arguments = [
        "--tls-cert",
        "cert.pem",
        "--tls-key",
        "key.pem",
        "--tls-client-ca",
        "ca.pem",
    ]
    .map(|it| match it.starts_with("--") {
        true => it.to_owned(),
        false => certificates.argument(it),
    });
    let host = start(&database, settings, &arguments).await;
    let url = host.url().replace("http://", "https://");
    let claims = async |client: &Client| {
        let url = format!("{url}/v1/workers/w-1/claim");
        ask(
            client,
            None,
            Method::POST,
            url,
            Some(json!({"kinds": ["word"]})),
        )
        .await
    };
    let named = |name: &str| {
        let pem = certificates.of_client(name);
        let identity = Identity::from_pem(pem.as_bytes()).expect("a certificate and its key");
        certificates.client_with(Some(identity))
    };
    let worker = named("worker-7");
    let (status, claimed) = claims(&worker).await;
    assert_eq!(
        (status, &claimed["executions"]),
        (200, &json!([])),
        "{claimed}"
    );
    let (status, refused) = ask(
        &worker,
        None,
        Method::GET,
        format!("{url}/v1/executions"),
        None,
    )
    .await;
    assert_eq!(
        (status, &refused["code"]),
        (403, &json!("role_missing")),
        "{refused}"
    );
    // A bearer that is not valid is not made up for by the certificate.
    let lanes = format!("{url}/v1/lanes");
    let (status, _) = ask(&worker, Some("fh_x"), Method::GET, lanes, None).await;
    assert_eq!(status, 401);
    // The longest name that is recorded, and one byte more.
    let longest = named(&format!("worker-{}", "x".repeat(193)));
    assert_eq!(claims(&longest).await.0, 200);
    let too_long = named(&format!("worker-{}", "x".repeat(194)));
    for unknown in [named("other"), certificates.client(), too_long] {
        let (status, refused) = claims(&unknown).await;
        assert_eq!((status, &refused["code"]), (401, &json!("unauthenticated")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_no_request_needs_is_refused_at_the_start() {
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_flowhost"))
        .args(["serve", "--database-url", "postgres://nowhere/x"])
        .env("FLOWHOST_OIDC_ISSUER", "https://id.example.com")
        .env("FLOWHOST_OIDC_AUDIENCE", "https://flow.example.com")
        .stdin(Stdio::null())
        .output();
    let run = run.await.expect("runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(
        said.contains("oidc.issuer") && said.contains("access.required"),
        "{said}"
    );
}
