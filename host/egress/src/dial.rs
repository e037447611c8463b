//! A connection to one of the vetted addresses.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Host;

use crate::{Error, Target};

/// Most addresses that one request tries.
const TRIES_MAX: usize = 4;

/// Bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// Connects to the first address that accepts, each within `limit`, and speaks TLS there
/// if the scheme says so.
///
/// # Errors
/// No address accepts; the host does not prove its name.
pub(crate) async fn connect(
    target: &Target,
    addresses: &[SocketAddr],
    limit: Duration,
    tls: Option<&TlsConnector>,
) -> Result<Pin<Box<dyn Stream>>, Error> {
    let tcp = first(addresses, limit)
        .await
        .map_err(|error| Error::not_connected(target, &error))?;
    // What is sent is one request, whole.
    tcp.set_nodelay(true)
        .map_err(|error| Error::not_connected(target, &error))?;
    if !target.is_https() {
        return Ok(Box::pin(tcp));
    }
    let Some(tls) = tls else {
        let none = "this machine trusts no certificates: install those of the public issuers (ca-certificates), or set egress.ca";
        return Err(Error::tls(target, none));
    };
    let name = match target.host() {
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| Error::tls(target, "a certificate cannot have this name"))?,
        Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(*address)),
    };
    let handshake = tokio::time::timeout(limit, tls.connect(name, tcp)).await;
    match handshake.unwrap_or_else(|_| Err(too_slow(limit))) {
        Ok(stream) => Ok(Box::pin(stream)),
        Err(error) => Err(Error::tls(target, &error.to_string())),
    }
}

async fn first(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let mut last = None;
    for address in addresses.iter().take(TRIES_MAX) {
        let connected = tokio::time::timeout(limit, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(too_slow(limit))) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("invariant: a target has an address when it is dialed"))
}

fn too_slow(limit: Duration) -> io::Error {
    let text = format!("timed out after {} ms", limit.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, text)
}
