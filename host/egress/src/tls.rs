//! TLS to the called host: which certificates are trusted.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why a text is not a list of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds no certificate in PEM (-----BEGIN CERTIFICATE-----), or one that cannot be read")]
pub struct CertificatesError;

/// Reads the certificates of a text in PEM.
///
/// # Errors
/// There is none, or one that is not a valid certificate of an issuer.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|_| CertificatesError)?;
    let mut roots = RootCertStore::empty();
    let (added, refused) = roots.add_parsable_certificates(read.iter().cloned());
    match (added, refused) {
        (1.., 0) => Ok(read),
        _ => Err(CertificatesError),
    }
}

/// Makes a connector that trusts the certificates of this machine and `further`; `None`
/// if there are none at all, so that no host could prove its name.
pub(crate) fn connector(further: Vec<CertificateDer<'static>>) -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let of_machine = rustls_native_certs::load_native_certs().certs;
    roots.add_parsable_certificates(of_machine.into_iter().chain(further));
    if roots.is_empty() {
        return None;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("invariant: the provider supports the versions of the library")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(TlsConnector::from(Arc::new(config)))
}
