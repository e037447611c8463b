//! Certificates for a host on loopback, in a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// An authority, and the files of a host that it issued a certificate to.
pub(crate) struct Certificates {
    dir: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// Makes an authority and a certificate of it.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let made = Self {
            dir: tempfile::tempdir().expect("a directory"),
            authority: CertifiedIssuer::self_signed(params, key).expect("signed"),
        };
        fs::write(made.path("ca.pem"), made.authority.pem()).expect("written");
        made.issue(2060);
        made
    }

    /// Issues another certificate that expires in this year, in place of the last.
    pub(crate) fn issue(&self, year: i32) {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names).expect("valid names");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let issued = params.signed_by(&key, &self.authority).expect("signed");
        fs::write(self.path("key.pem"), key.serialize_pem()).expect("written");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.path("key.pem"), private).expect("changed");
        fs::write(self.path("cert.pem"), issued.pem()).expect("written");
    }

    /// Returns the path of `ca.pem`, `cert.pem` or `key.pem`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns a path as an argument of a command.
    pub(crate) fn argument(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Issues a certificate to a client; returns it with its key.
    pub(crate) fn of_client(&self, name: &str) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let issued = params.signed_by(&key, &self.authority).expect("signed");
        issued.pem() + &key.serialize_pem()
    }

    /// Returns a client that trusts the authority.
    pub(crate) fn client(&self) -> reqwest::Client {
        self.client_with(None)
    }

    /// Returns a client that trusts the authority, with a certificate of its own if it has
    /// one.
    pub(crate) fn client_with(&self, identity: Option<reqwest::Identity>) -> reqwest::Client {
        // Fails only if another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let root = reqwest::Certificate::from_pem(self.authority.pem().as_bytes());
        let mut builder = reqwest::Client::builder();
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        builder
            .tls_certs_only([root.expect("a certificate")])
            .build()
            .expect("a client")
    }
}
