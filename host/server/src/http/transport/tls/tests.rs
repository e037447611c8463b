//! Files that cannot be used are named, files that change are read again, and only
//! verified clients have a name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::Tls;
use crate::config;
use crate::http::doors::ClientCertificate;

/// An authority that issues certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    /// Issues a certificate; returns it and its key in PEM.
    fn issue(&self, common_name: &str) -> (String, String) {
        let names = vec!["localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("valid names");
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let key = KeyPair::generate().expect("a key");
        let issued = params.signed_by(&key, &self.0).expect("signed");
        (issued.pem(), key.serialize_pem())
    }
}

/// A folder with the files of `[tls]`.
struct Files {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            dir: tempfile::tempdir().expect("a directory"),
            authority: Authority::new(),
        };
        let (certificate, key) = files.authority.issue("host");
        files.write("cert.pem", &certificate);
        files.write("key.pem", &key);
        files.write("ca.pem", &files.authority.0.pem());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    }

    fn settings(&self) -> config::Tls {
        config::Tls {
            certificate: Some(self.path("cert.pem")),
            key: Some(self.path("key.pem")),
            client_ca: Some(self.path("ca.pem")),
            handshake_timeout_ms: 300,
            ..config::Tls::default()
        }
    }

    fn open(&self) -> Tls {
        let opened = Tls::open(&self.settings()).expect("usable");
        opened.expect("TLS is on")
    }

    /// Connects to `tls` with a certificate or without one; returns what the host makes of
    /// it: nothing if the handshake fails.
    async fn connect(
        &self,
        tls: &Tls,
        certificate: Option<&(String, String)>,
    ) -> Option<Option<ClientCertificate>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let client = self.client(certificate);
        let asking = async {
            let stream = TcpStream::connect(address).await.expect("connects");
            let name = ServerName::try_from("localhost").expect("a name");
            let mut stream = client.connect(name, stream).await.ok()?;
            // In TLS 1.3 a client learns of its refusal by what it reads.
            stream.read_u8().await.ok()
        };
        let serving = async {
            let (stream, _) = listener.accept().await.expect("accepts");
            let (mut stream, certificate) = tls.accept(stream).await?;
            stream.write_all(b"!").await.expect("written");
            stream.flush().await.expect("sent");
            Some(certificate)
        };
        let (read, served) = tokio::join!(asking, serving);
        assert_eq!(read.is_some(), served.is_some());
        served
    }

    fn client(&self, certificate: Option<&(String, String)>) -> TlsConnector {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).expect("a root");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let client = match certificate {
            None => client.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
                let chain = chain.collect::<Result<_, _>>().expect("a chain");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                client
                    .with_client_auth_cert(chain, key)
                    .expect("they match")
            }
        };
        TlsConnector::from(Arc::new(client))
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let files = Files::new();
    let (other, other_key) = Authority::new().issue("other");
    let refused = |name: &str, text: Option<&str>| {
        let before = fs::read_to_string(files.path(name)).expect("text");
        match text {
            Some(text) => files.write(name, text),
            None => fs::remove_file(files.path(name)).expect("removed"),
        }
        let refused = Tls::open(&files.settings()).map(|_| ()).expect_err(name);
        files.write(name, &before);
        assert!(refused.detail.contains(name), "{refused}");
        (refused.field, refused.detail)
    };
    for (name, text, field, why) in [
        ("cert.pem", None, "tls.certificate", "No such file"),
        (
            "cert.pem",
            Some("hello"),
            "tls.certificate",
            "no certificate in PEM",
        ),
        (
            "cert.pem",
            Some(other_key.as_str()),
            "tls.certificate",
            "no certificate",
        ),
        ("key.pem", None, "tls.key", "No such file"),
        (
            "key.pem",
            Some(other.as_str()),
            "tls.key",
            "no private key in PEM",
        ),
        (
            "key.pem",
            Some(other_key.as_str()),
            "tls.key",
            "not the key of",
        ),
        (
            "key.pem",
            Some(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            ),
            "tls.key",
            "encrypted",
        ),
        ("ca.pem", None, "tls.client_ca", "No such file"),
        ("ca.pem", Some(""), "tls.client_ca", "no certificate in PEM"),
    ] {
        let (named, detail) = refused(name, text);
        assert_eq!(named, field, "{detail}");
        assert!(detail.contains(why), "{name}: {detail}");
    }
    let tls = files.open();
    assert!(tls.warnings().is_empty(), "{:?}", tls.warnings());
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(files.path("key.pem"), open).expect("changed");
    let warnings = tls.warnings();
    assert!(
        warnings[0].contains("can be read by others"),
        "{warnings:?}"
    );
    let off = Tls::open(&config::Tls::default());
    assert!(off.expect("off").is_none());
}

#[tokio::test]
async fn only_a_client_whose_certificate_was_verified_has_a_name() {
    let files = Files::new();
    let tls = files.open();
    let known = files.authority.issue("w-1");
    let named = Some(ClientCertificate("w-1".to_owned()));
    assert_eq!(files.connect(&tls, Some(&known)).await, Some(named));
    assert_eq!(
        files.connect(&tls, None).await,
        Some(None),
        "none is needed"
    );
    let forged = Authority::new().issue("w-1");
    assert_eq!(
        files.connect(&tls, Some(&forged)).await,
        None,
        "of another authority"
    );
    let mut settings = files.settings();
    settings.client_ca = None;
    let unasked = Tls::open(&settings).expect("usable").expect("on");
    assert_eq!(
        files.connect(&unasked, Some(&forged)).await,
        Some(None),
        "none is asked for"
    );
}

#[tokio::test]
async fn files_that_change_are_read_again_and_broken_ones_change_nothing() {
    let files = Files::new();
    let tls = files.open();
    let first = tls.config();
    tls.refresh();
    assert!(Arc::ptr_eq(&first, &tls.config()), "nothing changed");
    let (certificate, key) = files.authority.issue("new");
    files.write("cert.pem", &certificate);
    tls.refresh();
    assert!(Arc::ptr_eq(&first, &tls.config()), "half a pair");
    assert_eq!(tls.reads(), [("loaded", 1), ("failed", 1)]);
    tls.refresh();
    assert_eq!(
        tls.reads(),
        [("loaded", 1), ("failed", 1)],
        "the same failure"
    );
    assert!(
        files.connect(&tls, None).await.is_some(),
        "the old pair serves"
    );
    files.write("key.pem", &key);
    tls.refresh();
    assert!(!Arc::ptr_eq(&first, &tls.config()), "the new pair");
    assert_eq!(tls.reads(), [("loaded", 2), ("failed", 1)]);
    // Who issued certificates to clients before does so no more.
    let known = files.authority.issue("w-1");
    let other = Authority::new();
    files.write("ca.pem", &other.0.pem());
    tls.refresh();
    assert_eq!(files.connect(&tls, Some(&known)).await, None);
    assert!(
        files
            .connect(&tls, Some(&other.issue("w-2")))
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_client_that_speaks_plain_http_is_told_and_a_silent_one_is_dropped() {
    let files = Files::new();
    let tls = files.open();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let said = async |text: &'static [u8]| {
        let asking = async {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.write_all(text).await.expect("sent");
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            answer
        };
        let serving = async {
            let (stream, _) = listener.accept().await.expect("accepts");
            tls.accept(stream).await.is_some()
        };
        tokio::join!(asking, serving)
    };
    let (answer, served) = said(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!served);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\"tls_required\""), "{answer}");
    assert_eq!(
        said(b"").await,
        (String::new(), false),
        "it is dropped in time"
    );
    assert_eq!(
        said(b"\x16\x03\x01").await,
        (String::new(), false),
        "half a handshake"
    );
}
