//! Section `[egress]`: requests that leave the instance.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::egress::{Allow, Client, Settings};
use model::{Invalid, check_range};
use serde::{Deserialize, Serialize};

/// Requests that leave the instance, such as those of webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Egress {
    /// Destinations beyond the internet that requests may reach, at most 256: networks
    /// (`10.0.0.0/8`), addresses (`10.0.0.7`, `[fd00::7]:8443`) and names of hosts
    /// (`hooks.internal`, `hooks.internal:8443`). The address of a metadata service is
    /// allowed only by a rule that names it.
    pub allow: Vec<String>,
    /// File with certificates in PEM of issuers that are trusted besides those of the
    /// machine.
    pub ca: Option<PathBuf>,
    /// Longest a request may take, from the resolver to the last byte of the answer, in
    /// milliseconds, 100 to 600,000.
    pub timeout_ms: u32,
    /// Longest a connection to one address may take, and a TLS handshake, in
    /// milliseconds, 100 to 60,000.
    pub connect_timeout_ms: u32,
    /// Most bytes of an answer's body that are read, 0 to 16 MiB.
    pub answer_bytes_max: u32,
    /// Most connections open at once, 1 to 65,536.
    pub connections_max: u32,
    /// Most connections open to one host at once, 1 to 65,536; further requests wait
    /// within their time.
    pub connections_per_host_max: u32,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ca: None,
            timeout_ms: 30_000,
            connect_timeout_ms: 5_000,
            answer_bytes_max: 64 << 10,
            connections_max: 256,
            connections_per_host_max: 8,
        }
    }
}

impl Egress {
    /// Checks every value against its bounds. Files are read when the host starts.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        self.allowed()?;
        for (key, value, range) in [
            ("egress.timeout_ms", self.timeout_ms, 100..=600_000),
            (
                "egress.connect_timeout_ms",
                self.connect_timeout_ms,
                100..=60_000,
            ),
            (
                "egress.answer_bytes_max",
                self.answer_bytes_max,
                0..=16 << 20,
            ),
            ("egress.connections_max", self.connections_max, 1..=65_536),
            (
                "egress.connections_per_host_max",
                self.connections_per_host_max,
                1..=65_536,
            ),
        ] {
            check_range(key, value, range)?;
        }
        Ok(())
    }

    fn allowed(&self) -> Result<Allow, Invalid> {
        Allow::parse(&self.allow).map_err(|error| Invalid::new("egress.allow", error.to_string()))
    }

    /// Makes the client of a host. Reads the certificates that it trusts.
    ///
    /// # Errors
    /// The setting that is wrong, and why.
    pub fn client(&self) -> Result<Client, Invalid> {
        let trusted = self.ca.as_deref().map(certificates).transpose()?;
        Ok(Client::new(Settings {
            allow: self.allowed()?,
            trusted: trusted.unwrap_or_default(),
            timeout: Duration::from_millis(self.timeout_ms.into()),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms.into()),
            body_bytes_max: self.answer_bytes_max as usize,
            connections_max: self.connections_max as usize,
            connections_per_host_max: self.connections_per_host_max as usize,
            ..Settings::default()
        }))
    }
}

/// Reads the certificates of a file.
fn certificates(path: &Path) -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, Invalid> {
    let wrong = |what: String| Invalid::new("egress.ca", format!("{} {what}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    ::egress::certificates(&text).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Egress)) -> String {
        let mut egress = Egress::default();
        change(&mut egress);
        let refused = egress.check().and_then(|()| egress.client().map(|_| ()));
        refused.expect_err("refused").to_string()
    }

    #[test]
    fn a_wrong_value_names_its_key_and_what_would_be_right() {
        assert!(Egress::default().check().is_ok());
        let error = refused(|egress| egress.allow = vec!["10.0.0.1/8".to_owned()]);
        assert!(
            error.starts_with("egress.allow: `10.0.0.1/8` names"),
            "{error}"
        );
        let error = refused(|egress| egress.timeout_ms = 99);
        assert!(error.starts_with("egress.timeout_ms: 99"), "{error}");
        let error = refused(|egress| egress.connections_per_host_max = 0);
        assert!(
            error.starts_with("egress.connections_per_host_max: 0"),
            "{error}"
        );
        let error = refused(|egress| egress.ca = Some("/none/at/all".into()));
        assert!(
            error.starts_with("egress.ca: /none/at/all cannot be read"),
            "{error}"
        );
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = refused(|egress| egress.ca = Some(file.path().into()));
        assert!(error.contains("holds no certificate"), "{error}");
    }
}
