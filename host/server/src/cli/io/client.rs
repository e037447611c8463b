//! Sends requests to the API of a host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::credentials::{ApiKey, Session};
use super::url;
use super::{Exit, Failure};
use crate::address::is_loopback;

/// Longest to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest to wait for an answer; above the host's longest wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// Most redirects that are followed for one request.
const REDIRECTS_MAX: usize = 10;

/// A client of one host.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    credential: Option<Credential>,
}

/// What is sent in each request to be let in.
#[derive(Debug, Clone)]
enum Credential {
    Key(ApiKey),
    /// The token of a login.
    Session(Session),
}

/// The host that requests are sent to, and what is sent with them.
#[derive(Debug, Clone)]
pub struct Target {
    /// URL of the host.
    pub url: String,
    /// The API key to send; without one, the token of a login at the host is sent.
    pub key: Option<ApiKey>,
    /// Namespace of requests that name none.
    pub namespace: Option<String>,
    /// Whether the key may be sent where others on the way can read it.
    pub insecure_http: bool,
    /// File with certificates that it is trusted by, besides those of the system.
    pub ca: Option<PathBuf>,
}

impl Target {
    /// Returns the host at `url`, trusted by the certificates of the system, without a key.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            key: None,
            namespace: None,
            insecure_http: false,
            ca: None,
        }
    }
}

/// Most bytes of an answer; a result that is larger is read with another program.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// Most bytes of an answer that is a problem.
const PROBLEM_BYTES_MAX: usize = 1 << 20;

/// Headers whose values are arguments of the command line, and which.
const OF_ARGUMENTS: [(&str, &str); 2] = [
    ("idempotency-key", "--key"),
    ("content-type", "--content-type"),
];

/// An answer that is not a problem.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status of the answer.
    pub status: StatusCode,
    /// Media type of the body.
    pub content_type: String,
    /// Bytes of the body.
    pub body: Vec<u8>,
}

/// What a request carries.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Parameters of the query.
    pub query: Vec<(&'static str, String)>,
    /// Headers besides the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// Media type and bytes of the body; absent without one.
    pub body: Option<(String, Vec<u8>)>,
}

impl Request {
    /// Builds a request with a body in JSON.
    pub fn json(body: &impl serde::Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        Ok(Self {
            body: Some(("application/json".to_owned(), body)),
            ..Self::default()
        })
    }
}

impl Client {
    /// Makes a client of a host.
    ///
    /// # Errors
    /// The URL or a certificate is not valid, or others on the way could read the key.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        let url = target.url.as_str();
        let parsed = url::parse(url)?;
        let ca = target.ca.as_deref();
        let credential = match &target.key {
            Some(key) => {
                let on_this_machine = parsed.host_str().is_some_and(is_loopback);
                if parsed.scheme() != "https" && !on_this_machine && !target.insecure_http {
                    return Err(Failure::usage(format!(
                        "the API key is not sent to {} without encryption, since others on the way could read it; use an https URL, or add --insecure-http",
                        url.escape_debug()
                    )));
                }
                Some(Credential::Key(key.clone()))
            }
            None => Session::at(url, ca)?.map(Credential::Session),
        };
        let http = http_client(url, ca, |builder| {
            let builder = builder.timeout(ANSWER_TIMEOUT);
            match credential {
                Some(_) => builder.redirect(Policy::custom(to_the_same_host)),
                None => builder,
            }
        })?;
        Ok(Self {
            http,
            base: url.trim_end_matches('/').to_owned(),
            credential,
        })
    }

    /// Sends a request. An answer that is a problem is a failure.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        request: Request,
    ) -> Result<Answer, Failure> {
        let mut builder = self
            .http
            .request(method, format!("{}{path}", self.base))
            .query(&request.query);
        for (name, value) in request.headers {
            builder = builder.header(name, header_value(name, &value)?);
        }
        match &self.credential {
            Some(Credential::Key(key)) => builder = builder.header(AUTHORIZATION, key.header()),
            Some(Credential::Session(session)) => {
                if let Some(token) = session.token().await? {
                    builder = builder.bearer_auth(token);
                }
            }
            None => {}
        }
        if let Some((content_type, body)) = request.body {
            let content_type = header_value("content-type", &content_type)?;
            builder = builder.header("content-type", content_type).body(body);
        }
        let unreachable = |error: reqwest::Error| {
            Failure::new(
                Exit::Unavailable,
                format!(
                    "cannot reach a host at {}: {}; start one with `flowhost dev`, or name one with --url",
                    self.base,
                    reason(&error)
                ),
            )
        };
        let mut response = builder.send().await.map_err(unreachable)?;
        let status = response.status();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("application/octet-stream")
            .to_owned();
        if !status.is_success() {
            let body = beginning(response).await.map_err(unreachable)?;
            return Err(Failure::answered(
                status.as_u16(),
                serde_json::from_slice(&body).ok(),
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let message = format!("the host's answer is larger than {ANSWER_BYTES_MAX} bytes");
                return Err(Failure::new(Exit::Fault, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            content_type,
            body,
        })
    }

    /// Sends a `GET` request.
    pub async fn get(
        &self,
        path: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<Answer, Failure> {
        let request = Request {
            query,
            ..Request::default()
        };
        self.send(Method::GET, path, request).await
    }

    /// Sends a request with a body in JSON.
    pub async fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<Answer, Failure> {
        self.send(method, path, Request::json(body)?).await
    }
}

impl Answer {
    /// Reads the body as JSON.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let error = error.to_string();
            let message = format!(
                "the host's answer cannot be read; is it another version? {}",
                model::truncated(&error, model::QUOTED_TEXT_BYTES_MAX)
            );
            Failure::new(Exit::Fault, message)
        })
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Makes an HTTP client for the server at `url`, which the certificates in the file `ca`
/// make trusted as well.
pub(super) fn http_client(
    url: &str,
    ca: Option<&Path>,
    settings: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, Failure> {
    // Fails only if a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT);
    // A proxy cannot reach this machine under these names.
    let parsed = reqwest::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|it| it.host_str());
    if host.is_some_and(is_loopback) {
        builder = builder.no_proxy();
    }
    if let Some(path) = ca {
        builder = builder.tls_certs_merge(trusted(path)?);
    }
    let fault = |error: reqwest::Error| Failure::new(Exit::Fault, reason(&error));
    settings(builder).build().map_err(fault)
}

/// Reads the certificates of a file.
fn trusted(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let wrong = |what: &str| {
        let path = path.display();
        Failure::usage(format!("--ca (or FLOWHOST_CA): {path} {what}"))
    };
    let text = std::fs::read(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let none = "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
    match reqwest::Certificate::from_pem_bundle(&text) {
        Ok(read) if !read.is_empty() => Ok(read),
        _ => Err(wrong(none)),
    }
}

/// Follows a redirect of a request with a credential only to the same scheme, host and port.
fn to_the_same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let first = attempt.previous().first();
    let leaves = first.is_none_or(|first| first.origin() != attempt.url().origin());
    if leaves {
        let place = attempt.url().origin().ascii_serialization();
        return attempt.error(format!(
            "it redirects to {place}, where the credential is not sent"
        ));
    }
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("it redirects too often");
    }
    attempt.follow()
}

/// Reads a problem, and no more of it than a problem has.
async fn beginning(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < PROBLEM_BYTES_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(value).map_err(|_| {
        let argument = OF_ARGUMENTS.iter().find(|(header, _)| *header == name);
        let argument = argument.map_or(name, |(_, argument)| argument);
        Failure::usage(format!(
            "{argument} holds control characters: `{}`",
            value.escape_debug()
        ))
    })
}

/// The innermost reason: the outer ones repeat the URL.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, key: Option<&str>, insecure_http: bool) -> Target {
        Target {
            key: key.map(|key| ApiKey::new(key.to_owned()).expect("a key")),
            insecure_http,
            ..Target::at(url)
        }
    }

    #[test]
    fn a_key_is_sent_over_plain_http_to_this_machine_only_unless_that_is_accepted() {
        let allowed = |url, key, insecure| Client::of(&target(url, key, insecure)).is_ok();
        for url in [
            "https://h",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(allowed(url, Some("fh_x"), false), "{url}");
        }
        for url in ["http://h", "http://10.0.0.1:7070", "http://localhost.evil"] {
            assert!(!allowed(url, Some("fh_x"), false), "{url}");
            assert!(allowed(url, Some("fh_x"), true), "{url}");
            assert!(allowed(url, None, false), "{url}");
        }
        let debugged = format!("{:?}", target("http://h", Some("fh_x"), false));
        assert!(!debugged.contains("fh_x"), "{debugged}");
        for wrong in ["a b", "a\nb", "ä"] {
            assert!(ApiKey::new(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_argument_that_no_header_can_hold_is_named() {
        let failure = header_value("idempotency-key", "a\nb").expect_err("a line end");
        assert_eq!(failure.message, "--key holds control characters: `a\\nb`");
        assert!(header_value("idempotency-key", "größe").is_ok());
    }
}
