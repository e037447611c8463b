//! Asks an issuer for tokens (OAuth 2.0), as the client that the host names.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::io::client::{http_client, reason};
use crate::cli::io::{Exit, Failure, escape};
use crate::config::is_trustworthy;

/// Longest each request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Most bytes of each answer.
const ANSWER_BYTES_MAX: usize = 512 << 10;

/// An issuer, and where it takes requests.
#[derive(Debug)]
pub struct Issuer {
    http: reqwest::Client,
    url: String,
    description: Description,
}

#[derive(Debug, Deserialize)]
struct Description {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

/// An answer with tokens.
#[derive(Deserialize)]
pub struct TokenAnswer {
    /// What lets the client in at the audience, in any form.
    pub access_token: Option<String>,
    /// What says who the person is, always a signed token.
    pub id_token: Option<String>,
    /// What is exchanged for the next ones.
    pub refresh_token: Option<String>,
    /// Seconds until the access token expires, if that is known.
    pub expires_in: Option<u64>,
}

/// An error with a name, as the issuer answers it.
#[derive(Debug, Deserialize)]
pub struct OAuthError {
    /// The name of the error, such as `authorization_pending`.
    pub error: String,
    /// A sentence about it, if there is one.
    pub error_description: Option<String>,
}

impl Issuer {
    /// Asks an issuer where it takes requests.
    pub async fn find(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let failed = |what: String| {
            let url = escape(url);
            Failure::new(Exit::Unavailable, format!("the issuer {url}: {what}"))
        };
        if !is_trustworthy(url) {
            let what = "it is not at an https URL, and tokens are not sent in the clear";
            return Err(failed(what.to_owned()));
        }
        let http = http_client(url, ca, |builder| {
            // Questions are as far apart as servers keep idle connections.
            let builder = builder.timeout(REQUEST_TIMEOUT).pool_max_idle_per_host(0);
            builder.redirect(reqwest::redirect::Policy::none())
        })?;
        let place = format!(
            "{}/.well-known/openid-configuration",
            url.trim_end_matches('/')
        );
        let response = http.get(place).send().await;
        let response = response.map_err(|error| failed(reason(&error)))?;
        if !response.status().is_success() {
            return Err(failed(format!("it answered {}", response.status())));
        }
        let body = read(response).await.map_err(failed)?;
        let description: Description = serde_json::from_slice(&body)
            .map_err(|_| failed("it does not describe itself".to_owned()))?;
        if description.issuer != url {
            let other = escape(&description.issuer);
            return Err(failed(format!("it calls itself {other}")));
        }
        let ends = [
            Some(&description.token_endpoint),
            description.device_authorization_endpoint.as_ref(),
            description.revocation_endpoint.as_ref(),
        ];
        if !ends.into_iter().flatten().all(|url| is_trustworthy(url)) {
            return Err(failed("it takes requests in the clear".to_owned()));
        }
        Ok(Self {
            http,
            url: url.to_owned(),
            description,
        })
    }

    /// Asks for a code with which a person lets this device in.
    pub async fn device_code<T: DeserializeOwned>(
        &self,
        form: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let Some(url) = &self.description.device_authorization_endpoint else {
            let what = "it does not let devices log in";
            return Err(self.failed(Exit::Invalid, what));
        };
        self.post(url, form)
            .await?
            .map_err(|error| self.refused(&error))
    }

    /// Asks for tokens.
    pub async fn tokens(
        &self,
        form: &[(&str, &str)],
    ) -> Result<Result<TokenAnswer, OAuthError>, Failure> {
        self.post(&self.description.token_endpoint, form).await
    }

    /// Has the issuer forget a token, if it offers that.
    pub async fn revoke(&self, form: &[(&str, &str)]) -> Result<(), Failure> {
        let Some(url) = &self.description.revocation_endpoint else {
            return Ok(());
        };
        let sent = self.http.post(url).form(form).send().await;
        match sent {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => {
                let what = format!("it answered {}", response.status());
                Err(self.failed(Exit::Unavailable, &what))
            }
            Err(error) => Err(self.failed(Exit::Unavailable, &reason(&error))),
        }
    }

    /// Builds the failure of an error of the issuer.
    pub fn refused(&self, error: &OAuthError) -> Failure {
        let text = |text: &str| model::truncated(text, 512).into_owned();
        let mut what = text(&error.error);
        if let Some(description) = &error.error_description {
            what = format!("{what}: {}", text(description));
        }
        self.failed(Exit::Denied, &what)
    }

    fn failed(&self, exit: Exit, what: &str) -> Failure {
        let (url, what) = (escape(&self.url), escape(what));
        Failure::new(exit, format!("the issuer {url}: {what}"))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<Result<T, OAuthError>, Failure> {
        let unavailable = |what: String| self.failed(Exit::Unavailable, &what);
        let sent = self.http.post(url).form(form).send().await;
        let response = sent.map_err(|error| unavailable(reason(&error)))?;
        let status = response.status();
        let body = read(response).await.map_err(unavailable)?;
        let unreadable = |_| unavailable(format!("its answer with {status} cannot be read"));
        if status.is_success() {
            return serde_json::from_slice(&body).map(Ok).map_err(unreadable);
        }
        serde_json::from_slice(&body).map(Err).map_err(unreadable)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
