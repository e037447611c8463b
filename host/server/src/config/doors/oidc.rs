//! Section `[oidc]`: tokens of an OpenID Connect issuer as credentials.

use std::time::Duration;

use axum::http::Uri;
use model::{Invalid, Role, check_range};
use serde::{Deserialize, Serialize};

use super::Grant;
use crate::address::is_loopback;

/// Most bytes of each text of this section.
const TEXT_BYTES_MAX: usize = 512;
/// Most rules, scopes and audiences.
const ITEMS_MAX: usize = 256;

/// Tokens of an OpenID Connect issuer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// URL of the issuer, exactly as its tokens name it; tokens are not accepted when
    /// absent. `https`, or `http` on loopback.
    pub issuer: Option<String>,
    /// The audience that tokens for this API name.
    pub audience: Option<String>,
    /// Id of the client that `flowhost login` is at the issuer; people cannot log in when
    /// absent.
    pub client_id: Option<String>,
    /// What `flowhost login` asks the issuer for.
    pub scopes: Vec<String>,
    /// Algorithms that signatures may have. Keys that are shared, and none, are never
    /// accepted.
    pub algorithms: Vec<TokenAlgorithm>,
    /// How far the clocks of issuer and host may differ, in milliseconds, at most 300,000.
    pub leeway_ms: u32,
    /// The claim that names the caller, such as `sub` or `email`.
    pub name_claim: String,
    /// What gives roles to callers, each rule by itself; a caller without a role may do
    /// nothing.
    pub rules: Vec<Rule>,
    /// Age of the issuer's keys after which they are fetched again, in milliseconds,
    /// 1,000 to 86,400,000.
    pub jwks_refresh_ms: u32,
    /// Least pause between two fetches, also for keys that are unknown, in milliseconds,
    /// 100 to 600,000.
    pub jwks_retry_ms: u32,
    /// How long keys are used while the issuer does not answer, in milliseconds, at least
    /// `jwks_refresh_ms` and at most 604,800,000.
    pub jwks_keep_ms: u32,
}

/// A claim, what it must be, and the role that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name of the claim; members of nested claims are separated by dots, as in
    /// `realm_access.roles`.
    pub claim: String,
    /// The claim is this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// The claim is a list with this text, or a text in which it is one of the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// What the caller may do: viewer, submitter, worker, approver, operator or admin.
    pub role: Role,
    /// The namespace it is held in; every namespace, and what belongs to none, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// An algorithm whose keys are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    /// RSA, padded as in PKCS v1.5, with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, padded as in PKCS v1.5, with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA, padded as in PKCS v1.5, with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSA (PSS) with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA (PSS) with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA (PSS) with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// EdDSA with Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            client_id: None,
            scopes: ["openid", "offline_access"].map(str::to_owned).to_vec(),
            algorithms: vec![TokenAlgorithm::Rs256, TokenAlgorithm::Es256],
            leeway_ms: 30_000,
            name_claim: "sub".to_owned(),
            rules: Vec::new(),
            jwks_refresh_ms: 300_000,
            jwks_retry_ms: 5_000,
            jwks_keep_ms: 86_400_000,
        }
    }
}

/// Returns whether what is fetched from a URL comes from its host: over TLS, or from this
/// machine.
pub fn is_trustworthy(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let named = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => named && !host.is_empty(),
        (Some("http"), Some(host)) => named && is_loopback(host),
        _ => false,
    }
}

impl Oidc {
    /// Checks every value against its bounds.
    pub(in crate::config) fn check(&self) -> Result<(), Invalid> {
        let wrong = |key: &'static str, detail: &str| Err(Invalid::new(key, detail));
        check_range("oidc.leeway_ms", self.leeway_ms, 0..=300_000)?;
        check_range(
            "oidc.jwks_refresh_ms",
            self.jwks_refresh_ms,
            1_000..=86_400_000,
        )?;
        check_range("oidc.jwks_retry_ms", self.jwks_retry_ms, 100..=600_000)?;
        let keep = self.jwks_refresh_ms..=604_800_000;
        check_range("oidc.jwks_keep_ms", self.jwks_keep_ms, keep)?;
        for (key, text) in [
            ("oidc.issuer", self.issuer.as_deref()),
            ("oidc.audience", self.audience.as_deref()),
            ("oidc.client_id", self.client_id.as_deref()),
            ("oidc.name_claim", Some(self.name_claim.as_str())),
        ] {
            if let Some(text) = text {
                check_text(key, text)?;
            }
        }
        if let Some(issuer) = &self.issuer {
            if !is_trustworthy(issuer) || issuer.contains(['?', '#']) {
                let detail = format!(
                    "`{}` is not an https URL; http is accepted on loopback only",
                    issuer.escape_debug()
                );
                return Err(Invalid::new("oidc.issuer", detail));
            }
            if self.audience.is_none() {
                return wrong(
                    "oidc.audience",
                    "tokens for other services would be accepted: set the audience of this API",
                );
            }
        } else if self.audience.is_some() || self.client_id.is_some() || !self.rules.is_empty() {
            return wrong(
                "oidc.issuer",
                "other keys of [oidc] are set without an issuer",
            );
        }
        if self.algorithms.is_empty() {
            return wrong("oidc.algorithms", "name at least one, such as RS256");
        }
        if self.scopes.len() > ITEMS_MAX || self.rules.len() > ITEMS_MAX {
            let detail = format!("at most {ITEMS_MAX} scopes and {ITEMS_MAX} rules");
            return Err(Invalid::new("oidc", detail));
        }
        for scope in &self.scopes {
            check_text("oidc.scopes", scope)?;
            if scope.contains(' ') {
                return wrong(
                    "oidc.scopes",
                    "a scope holds a space: separate them by commas",
                );
            }
        }
        self.rules.iter().try_for_each(Rule::check)
    }

    /// Returns how far the clocks may differ.
    pub fn leeway(&self) -> Duration {
        Duration::from_millis(self.leeway_ms.into())
    }

    /// Returns the age of keys after which they are fetched again.
    pub fn jwks_refresh(&self) -> Duration {
        Duration::from_millis(self.jwks_refresh_ms.into())
    }

    /// Returns the least pause between two fetches.
    pub fn jwks_retry(&self) -> Duration {
        Duration::from_millis(self.jwks_retry_ms.into())
    }

    /// Returns how long keys are used while the issuer does not answer.
    pub fn jwks_keep(&self) -> Duration {
        Duration::from_millis(self.jwks_keep_ms.into())
    }
}

impl Rule {
    fn check(&self) -> Result<(), Invalid> {
        const KEY: &str = "oidc.rules";
        check_text(KEY, &self.claim)?;
        match (&self.equals, &self.contains) {
            (Some(text), None) | (None, Some(text)) => check_text(KEY, text)?,
            _ => {
                let detail = format!("the rule about `{}` needs equals or contains", self.claim);
                return Err(Invalid::new(KEY, detail));
            }
        }
        self.grant().check(KEY)
    }

    /// Returns what the rule gives.
    pub fn grant(&self) -> Grant {
        Grant {
            role: self.role,
            namespace: self.namespace.clone(),
        }
    }
}

fn check_text(key: &'static str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.contains(char::is_control) {
        let detail =
            format!("must have 1 to {TEXT_BYTES_MAX} bytes, none of them a control character");
        return Err(Invalid::new(key, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> Oidc {
        Oidc {
            issuer: Some("https://issuer.example".into()),
            audience: Some("https://flow.example".into()),
            ..Oidc::default()
        }
    }

    #[test]
    fn an_issuer_is_reached_over_tls_or_on_this_machine() {
        for good in [
            "https://issuer.example",
            "https://issuer.example/realms/a",
            "http://127.0.0.1:80",
            "http://localhost:3000/x",
            "http://[::1]:1",
        ] {
            let issuer = Some(good.to_owned());
            assert_eq!(Oidc { issuer, ..on() }.check(), Ok(()), "{good}");
        }
        for wrong in [
            "http://issuer.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "https://u:p@issuer.example",
            "http://user@127.0.0.1",
            "https://",
            "issuer.example",
            "ftp://127.0.0.1",
            "https://a?b",
            "",
        ] {
            let issuer = Some(wrong.to_owned());
            let refused = Oidc { issuer, ..on() }.check().expect_err(wrong);
            assert_eq!(refused.field, "oidc.issuer", "{wrong}");
        }
    }

    #[test]
    fn what_belongs_together_is_set_together() {
        assert_eq!(Oidc::default().check(), Ok(()));
        let wrong = |change: fn(&mut Oidc)| {
            let mut oidc = on();
            change(&mut oidc);
            oidc.check().expect_err("wrong").field
        };
        assert_eq!(wrong(|it| it.audience = None), "oidc.audience");
        assert_eq!(wrong(|it| it.issuer = None), "oidc.issuer");
        assert_eq!(wrong(|it| it.algorithms.clear()), "oidc.algorithms");
        assert_eq!(wrong(|it| it.jwks_keep_ms = 5), "oidc.jwks_keep_ms");
        assert_eq!(wrong(|it| it.jwks_retry_ms = 5), "oidc.jwks_retry_ms");
        assert_eq!(wrong(|it| it.leeway_ms = 400_000), "oidc.leeway_ms");
        assert_eq!(wrong(|it| it.name_claim.clear()), "oidc.name_claim");
        assert_eq!(wrong(|it| it.scopes = vec!["a b".into()]), "oidc.scopes");
        let rule = |equals: Option<&str>, contains: Option<&str>| Rule {
            claim: "groups".into(),
            equals: equals.map(str::to_owned),
            contains: contains.map(str::to_owned),
            role: Role::Viewer,
            namespace: None,
        };
        assert_eq!(rule(Some("a"), None).check(), Ok(()));
        assert!(rule(None, None).check().is_err());
        assert!(rule(Some("a"), Some("a")).check().is_err());
        assert!(rule(Some(""), None).check().is_err());
        let misspelled = r#"{"claim":"a","equals":"b","role":"admin","namspace":"x"}"#;
        assert!(serde_json::from_str::<Rule>(misspelled).is_err());
    }

    #[test]
    fn shared_keys_and_none_are_no_algorithms() {
        for wrong in ["none", "HS256", "HS384", "HS512", "rs256", ""] {
            let read = serde_json::from_value::<TokenAlgorithm>(wrong.into());
            assert!(read.is_err(), "{wrong}");
        }
        let read = serde_json::from_value::<TokenAlgorithm>("EdDSA".into());
        assert_eq!(read.ok(), Some(TokenAlgorithm::EdDsa));
    }
}
