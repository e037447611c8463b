//! Asks an issuer for its keys: where they are, and then for them.
//!
//! Only over TLS, or on this machine; without following redirects; within a time and a
//! number of bytes.

use std::time::Duration;

use reqwest::redirect;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::keys::KeySet;
use crate::address::is_loopback;
use crate::config::{TokenAlgorithm, is_trustworthy};

/// Path of the description of an issuer below its URL.
const DESCRIPTION: &str = "/.well-known/openid-configuration";
/// Longest each request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// Most bytes of each answer.
const ANSWER_BYTES_MAX: usize = 512 << 10;

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    accepted: Vec<TokenAlgorithm>,
    client: reqwest::Client,
}

/// What an issuer says of itself.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// Makes a client of the issuer at `url`.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new(url: &str, accepted: &[TokenAlgorithm]) -> Result<Self, reqwest::Error> {
        // Fails only if a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT);
        let host = reqwest::Url::parse(url).ok();
        let host = host.as_ref().and_then(|it| it.host_str());
        if host.is_some_and(is_loopback) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            url: url.to_owned(),
            accepted: accepted.to_vec(),
            client: builder.build()?,
        })
    }

    /// Asks for the keys; returns them with a digest of what was published.
    ///
    /// # Errors
    /// It does not answer, or not with keys.
    pub async fn keys(&self) -> Result<(KeySet, [u8; 32]), String> {
        let place = format!("{}{DESCRIPTION}", self.url.trim_end_matches('/'));
        let description = self.read(&place).await?;
        let description: Description = serde_json::from_slice(&description)
            .map_err(|error| format!("its description cannot be read: {error}"))?;
        if description.issuer != self.url {
            let said = model::quoted(&description.issuer);
            return Err(format!(
                "it calls itself {said}; oidc.issuer must be the same"
            ));
        }
        if !is_trustworthy(&description.jwks_uri) {
            return Err("its keys are not at an https URL".to_owned());
        }
        let published = self.read(&description.jwks_uri).await?;
        let keys = KeySet::read(&published, &self.accepted)?;
        Ok((keys, Sha256::digest(&published).into()))
    }

    async fn read(&self, url: &str) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| {
            let mut reason: &dyn std::error::Error = &error;
            while let Some(source) = reason.source() {
                reason = source;
            }
            format!("{url}: {reason}")
        };
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("{url}: it answered {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!(
                    "{url}: the answer has more than {ANSWER_BYTES_MAX} bytes"
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
