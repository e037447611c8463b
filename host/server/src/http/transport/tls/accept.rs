//! The handshake of a connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Tls, peer};
use crate::http::doors::ClientCertificate;
use crate::http::problem::{Code, Problem};
use crate::http::transport::not_http::written_out;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;
/// Longest a client that does not speak TLS may take to read why it is refused.
const FAREWELL: Duration = Duration::from_secs(1);
/// Most bytes that are read from it meanwhile.
const FAREWELL_BYTES_MAX: u64 = 64 << 10;

impl Tls {
    /// Completes the handshake of a connection; returns it with the name in the certificate
    /// of the client, if it has one. `None` if there is nothing to serve: the handshake
    /// failed or took too long, or the client speaks plain HTTP and was told.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> Option<(TlsStream<TcpStream>, Option<ClientCertificate>)> {
        let timeout = self.settings.handshake_timeout();
        match tokio::time::timeout(timeout, self.handshake(stream)).await {
            Ok(opened) => opened,
            Err(_) => {
                tracing::debug!("a handshake took too long");
                None
            }
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Option<(TlsStream<TcpStream>, Option<ClientCertificate>)> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first[0] == HANDSHAKE => {}
            Ok(1) => {
                tell_to_speak_tls(stream).await;
                return None;
            }
            _ => return None,
        }
        match TlsAcceptor::from(self.config()).accept(stream).await {
            Ok(stream) => {
                let (_, session) = stream.get_ref();
                let certificate = session.peer_certificates().and_then(|chain| chain.first());
                let name = certificate.and_then(peer::name);
                Some((stream, name))
            }
            // Clients refuse certificates, and scanners try ports.
            Err(error) => {
                tracing::debug!(%error, "a handshake failed");
                None
            }
        }
    }
}

async fn tell_to_speak_tls(mut stream: TcpStream) {
    let problem = Problem::new(
        Code::TlsRequired,
        "this port speaks TLS: use https:// in place of http://",
    );
    let told = async {
        stream.write_all(&written_out(&problem)).await?;
        stream.shutdown().await?;
        // A connection that is closed with something unread is reset, and the client may
        // not see the answer.
        let mut rest = (&mut stream).take(FAREWELL_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(FAREWELL, told).await;
}
