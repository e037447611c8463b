//! TLS: the name and the issuer are checked, for addresses too.

use std::sync::Arc;

use egress::{Client, Error, Settings, certificates};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::{Scripted, Server, allowing, get};

/// A TLS server with a certificate for these names; returns its port and its issuer.
async fn secure(names: &[&str]) -> (u16, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer_key = KeyPair::generate().expect("a key");
    let issuer = CertifiedIssuer::self_signed(params, issuer_key).expect("an issuer");
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, issuer.pem())
}

fn client(trusted: Option<&str>) -> Client {
    let trusted = trusted.map(|pem| certificates(pem.as_bytes()).expect("a certificate"));
    let settings = Settings {
        trusted: trusted.unwrap_or_default(),
        ..allowing(&["127.0.0.1"])
    };
    Client::with_resolver(settings, Scripted::new([&["127.0.0.1"]]))
}

#[tokio::test]
async fn a_host_proves_its_name_to_an_issuer_that_is_trusted() {
    let (port, issuer) = secure(&["a.test", "127.0.0.1"]).await;
    for host in ["a.test", "a.test.", "127.0.0.1"] {
        let answer = client(Some(&issuer))
            .send(get(&format!("https://{host}:{port}/")))
            .await;
        assert_eq!(answer.expect(host).status, 200, "{host}");
    }
    let wrong_name = client(Some(&issuer))
        .send(get(&format!("https://b.test:{port}/")))
        .await;
    assert!(
        matches!(wrong_name, Err(Error::Tls { .. })),
        "{wrong_name:?}"
    );
    let (_, other) = secure(&["a.test"]).await;
    let unknown = client(Some(&other))
        .send(get(&format!("https://a.test:{port}/")))
        .await;
    assert!(matches!(unknown, Err(Error::Tls { .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_host_without_tls_is_named_as_such() {
    let server = Server::with_status("200 OK", "").await;
    let (_, issuer) = secure(&["a.test"]).await;
    let error = client(Some(&issuer))
        .send(get(&format!("https://a.test:{}/s3cret", server.port())))
        .await;
    let said = error.expect_err("no TLS").to_string();
    assert!(said.starts_with("no TLS: https://a.test:"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_text_without_certificates_is_refused() {
    for text in [
        "",
        "x",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(certificates(text.as_bytes()).is_err(), "{text}");
    }
}
