//! Section `[tls]`: TLS of the API, and certificates of clients as credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use model::{Invalid, Limits, check_range};
use serde::{Deserialize, Serialize};

use super::Grant;

/// TLS of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// File with the certificate of the API in PEM, followed by those that lead to its
    /// issuer; the API speaks plain HTTP when absent.
    pub certificate: Option<PathBuf>,
    /// File with the private key of that certificate in PEM.
    pub key: Option<PathBuf>,
    /// File with the certificates in PEM whose holders issue certificates to clients; no
    /// client is asked for one when absent.
    pub client_ca: Option<PathBuf>,
    /// Oldest version of TLS that clients may speak: `1.2` or `1.3`.
    pub min_version: TlsVersion,
    /// Longest a handshake may take, in milliseconds, 100 to 60,000.
    pub handshake_timeout_ms: u32,
    /// How often the files are compared with those in use, in milliseconds, 100 to
    /// 3,600,000; SIGHUP has them compared immediately.
    pub reload_ms: u32,
    /// Roles of verified clients by the common name of their certificate, or by its first
    /// DNS or URI name if it has none. A name that ends with `*` is every name that
    /// begins like it.
    pub clients: BTreeMap<String, Vec<Grant>>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2 and newer ones.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 and newer ones.
    #[serde(rename = "1.3")]
    V1_3,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            client_ca: None,
            min_version: TlsVersion::V1_2,
            handshake_timeout_ms: 10_000,
            reload_ms: 5_000,
            clients: BTreeMap::new(),
        }
    }
}

impl Tls {
    /// Returns whether the API speaks TLS.
    pub const fn is_on(&self) -> bool {
        self.certificate.is_some()
    }

    /// Returns the scheme of the URLs of the API.
    pub const fn scheme(&self) -> &'static str {
        if self.is_on() { "https" } else { "http" }
    }

    /// Checks every value against its bounds. Files are read when the host starts.
    pub(in crate::config) fn check(&self) -> Result<(), Invalid> {
        let needs = |key, what| Err(Invalid::new(key, what));
        match (&self.certificate, &self.key) {
            (Some(_), None) => return needs("tls.key", "tls.certificate is set without its key"),
            (None, Some(_)) => {
                return needs("tls.certificate", "tls.key is set without its certificate");
            }
            _ => {}
        }
        if self.client_ca.is_some() && !self.is_on() {
            return needs(
                "tls.client_ca",
                "certificates of clients need TLS: set tls.certificate and tls.key",
            );
        }
        if !self.clients.is_empty() && self.client_ca.is_none() {
            return needs(
                "tls.clients",
                "certificates of clients are not verified without tls.client_ca",
            );
        }
        check_range(
            "tls.handshake_timeout_ms",
            self.handshake_timeout_ms,
            100..=60_000,
        )?;
        check_range("tls.reload_ms", self.reload_ms, 100..=3_600_000)?;
        for (name, grants) in &self.clients {
            check_name(name)?;
            if grants.is_empty() {
                let detail = format!("`{name}` has no role: give it one, or remove it");
                return Err(Invalid::new("tls.clients", detail));
            }
            for grant in grants {
                grant.check("tls.clients")?;
            }
        }
        Ok(())
    }

    /// Returns the longest a handshake may take.
    pub fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms.into())
    }

    /// Returns how often the files are compared with those in use.
    pub fn reload(&self) -> Duration {
        Duration::from_millis(self.reload_ms.into())
    }
}

/// Writes the name in a certificate as it is recorded, without the `/` that ends the name of
/// a credential: URI names have some, and two names never become one.
pub fn recorded(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let wrong = |what: &str| {
        let name = name.escape_debug();
        Err(Invalid::new("tls.clients", format!("`{name}` {what}")))
    };
    let max = Limits::CREDENTIAL_NAME_BYTES_MAX;
    if name.is_empty() || recorded(name).len() > max {
        return wrong(&format!(
            "must have 1 to {max} bytes, of which `/` and `%` count three each"
        ));
    }
    if name.contains(char::is_control) {
        return wrong("holds control characters");
    }
    // In a URI name a `/` is usual; it is replaced where the name is recorded.
    if name.find('*').is_some_and(|at| at + 1 < name.len()) {
        return wrong("has a * that is not its last character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Role;

    fn on() -> Tls {
        Tls {
            certificate: Some("a.pem".into()),
            key: Some("a.key".into()),
            client_ca: Some("ca.pem".into()),
            ..Tls::default()
        }
    }

    #[test]
    fn what_belongs_together_is_set_together() {
        assert_eq!(Tls::default().check(), Ok(()));
        assert_eq!(on().check(), Ok(()));
        let wrong = |change: fn(&mut Tls)| {
            let mut tls = on();
            change(&mut tls);
            tls.check().expect_err("wrong").field
        };
        assert_eq!(wrong(|tls| tls.key = None), "tls.key");
        assert_eq!(wrong(|tls| tls.certificate = None), "tls.certificate");
        let without = wrong(|tls| (tls.certificate, tls.key) = (None, None));
        assert_eq!(without, "tls.client_ca");
        let unverified = wrong(|tls| {
            tls.client_ca = None;
            let grants = vec![Grant {
                role: Role::Worker,
                namespace: None,
            }];
            tls.clients.insert("w-*".into(), grants);
        });
        assert_eq!(unverified, "tls.clients");
        assert_eq!(
            wrong(|tls| tls.handshake_timeout_ms = 0),
            "tls.handshake_timeout_ms"
        );
        assert_eq!(wrong(|tls| tls.reload_ms = 1), "tls.reload_ms");
    }

    #[test]
    fn names_of_clients_are_exact_or_end_with_an_asterisk() {
        let with = |name: &str, grants: Vec<Grant>| {
            let mut tls = on();
            tls.clients.insert(name.to_owned(), grants);
            tls.check().is_ok()
        };
        let worker = |namespace: Option<&str>| Grant {
            role: Role::Worker,
            namespace: namespace.map(str::to_owned),
        };
        for good in ["w-1", "w-*", "*", "spiffe://a/b", "ops of acme"] {
            assert!(with(good, vec![worker(Some("acme"))]), "{good}");
        }
        for wrong in ["", "*-w", "a*b*", "a\nb", &"x".repeat(256)] {
            assert!(!with(wrong, vec![worker(None)]), "{wrong}");
        }
        assert!(!with("w", Vec::new()), "no role");
        assert!(!with("w", vec![worker(Some("A B"))]), "not a namespace");
    }
}
