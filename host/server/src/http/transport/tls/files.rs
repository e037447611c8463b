//! The files of `[tls]`, and what was read from them.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::Invalid;
use parking_lot::RwLock;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig, version};

use super::peer;
use crate::config::{self, TlsVersion};

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";
const CLIENT_CA: &str = "tls.client_ca";
/// Bits of a mode that let others than the owner read a file.
const OTHERS_READ: u32 = 0o044;
/// Most bytes of one of the files.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// TLS of the API.
#[derive(Debug)]
pub struct Tls {
    /// The section `[tls]` of the configuration.
    pub(super) settings: config::Tls,
    in_use: RwLock<InUse>,
    loaded: AtomicU64,
    failed: AtomicU64,
}

/// What connections are accepted with.
#[derive(Debug)]
struct InUse {
    config: Arc<ServerConfig>,
    /// When the certificate expires, in seconds since 1970.
    expires_at: i64,
    /// The files as they were when they were read, or failed to be, last.
    stamps: Vec<Stamp>,
}

/// What tells a file from an earlier version of it; nothing of one that is absent.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Tls {
    /// Reads the files of the settings; `None` if they name no certificate.
    ///
    /// # Errors
    /// The setting whose file cannot be used, and why.
    pub fn open(settings: &config::Tls) -> Result<Option<Self>, Invalid> {
        if !settings.is_on() {
            return Ok(None);
        }
        let stamps = stamps(settings);
        let (config, expires_at) = read(settings)?;
        for warning in warnings(settings, expires_at) {
            tracing::warn!("{warning}");
        }
        let in_use = InUse {
            config: Arc::new(config),
            expires_at,
            stamps,
        };
        Ok(Some(Self {
            settings: settings.clone(),
            in_use: RwLock::new(in_use),
            loaded: AtomicU64::new(1),
            failed: AtomicU64::new(0),
        }))
    }

    /// Returns what is not wrong with the files and should be mended all the same.
    pub fn warnings(&self) -> Vec<String> {
        warnings(&self.settings, self.expires_at())
    }

    /// Returns what new connections are accepted with.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.in_use.read().config)
    }

    /// Returns when the certificate in use expires, in seconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.in_use.read().expires_at
    }

    /// Returns how often files were read, by what came of it.
    pub fn reads(&self) -> [(&'static str, u64); 2] {
        [
            ("loaded", self.loaded.load(Relaxed)),
            ("failed", self.failed.load(Relaxed)),
        ]
    }

    /// Reads the files again if one of them changed. Files that cannot be used change
    /// nothing: what was read before stays in use.
    pub(super) fn refresh(&self) {
        let stamps = stamps(&self.settings);
        if self.in_use.read().stamps == stamps {
            return;
        }
        match read(&self.settings) {
            Ok((config, expires_at)) => {
                self.loaded.fetch_add(1, Relaxed);
                *self.in_use.write() = InUse {
                    config: Arc::new(config),
                    expires_at,
                    stamps,
                };
                tracing::info!("the certificate of the API was read again");
                for warning in self.warnings() {
                    tracing::warn!("{warning}");
                }
            }
            Err(invalid) => {
                self.failed.fetch_add(1, Relaxed);
                self.in_use.write().stamps = stamps;
                tracing::error!("the certificate in use is kept: {invalid}");
            }
        }
    }
}

fn files(settings: &config::Tls) -> impl Iterator<Item = &PathBuf> {
    let files = [&settings.certificate, &settings.key, &settings.client_ca];
    files.into_iter().flatten()
}

fn stamps(settings: &config::Tls) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let it = fs::metadata(path).ok()?;
        Some((it.ino(), it.size(), it.ctime(), it.ctime_nsec()))
    };
    files(settings).map(stamp).collect()
}

/// Reads the files.
fn read(settings: &config::Tls) -> Result<(ServerConfig, i64), Invalid> {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) else {
        return Err(Invalid::new(KEY, "tls.certificate is set without its key"));
    };
    let chain = certificates(CERTIFICATE, certificate)?;
    let wrong = |error: &dyn Display| of_file(CERTIFICATE, certificate, error);
    let expires_at = peer::expires_at(&chain[0]).map_err(|why| wrong(&why))?;
    let provider = Arc::new(ring::default_provider());
    let certified = CertifiedKey::from_der(chain, private_key(key)?, &provider);
    let certified = certified.map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let other = "it is not the key of the first certificate in tls.certificate";
            of_file(KEY, key, &other)
        }
        error => of_file(KEY, key, &error),
    })?;
    let versions: &[_] = match settings.min_version {
        TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V1_3 => &[&version::TLS13],
    };
    let verifier = match &settings.client_ca {
        None => Arc::new(NoClientAuth) as Arc<_>,
        Some(path) => {
            let wrong = |error: &dyn Display| of_file(CLIENT_CA, path, error);
            let mut roots = RootCertStore::empty();
            for root in certificates(CLIENT_CA, path)? {
                roots.add(root).map_err(|error| wrong(&error))?;
            }
            // A client without a certificate may have another credential.
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .allow_unauthenticated()
                .build()
                .map_err(|error| wrong(&error))?
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| wrong(&error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, expires_at))
}

/// Reads every certificate of a file.
fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let text = contents(field, path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let read = read.map_err(|error| of_file(field, path, &error))?;
    if read.is_empty() {
        let detail = "it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
        return Err(of_file(field, path, &detail));
    }
    Ok(read)
}

/// Reads the first private key of a file.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Invalid> {
    let text = contents(KEY, path)?;
    let is_encrypted = text
        .windows(b"ENCRYPTED".len())
        .any(|window| window == b"ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        _ if is_encrypted => {
            let detail = "the key is encrypted: store it without a passphrase, readable by the host's user alone";
            of_file(KEY, path, &detail)
        }
        pem::Error::NoItemsFound => {
            let detail = "it holds no private key in PEM (-----BEGIN PRIVATE KEY-----)";
            of_file(KEY, path, &detail)
        }
        error => of_file(KEY, path, &error),
    })
}

fn contents(field: &'static str, path: &Path) -> Result<Vec<u8>, Invalid> {
    let size = fs::metadata(path).map_err(|error| of_file(field, path, &error))?;
    if size.len() > FILE_BYTES_MAX {
        let detail = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(of_file(field, path, &detail));
    }
    fs::read(path).map_err(|error| of_file(field, path, &error))
}

fn of_file(field: &'static str, path: &Path, why: &dyn Display) -> Invalid {
    Invalid::new(field, format!("{}: {why}", path.display()))
}

fn warnings(settings: &config::Tls, expires_at: i64) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(key) = &settings.key
        && let Ok(found) = fs::metadata(key)
        && found.mode() & OTHERS_READ != 0
    {
        warnings.push(format!(
            "{KEY}: {} can be read by others (mode {:o}): chmod 600 it",
            key.display(),
            found.mode() & 0o777
        ));
    }
    if peer::has_passed(expires_at)
        && let Some(certificate) = &settings.certificate
    {
        let path = certificate.display();
        warnings.push(format!(
            "{CERTIFICATE}: {path} has expired; clients refuse it"
        ));
    }
    warnings
}
