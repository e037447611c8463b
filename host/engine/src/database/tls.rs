//! Whether connections to the database are encrypted.
//!
//! The mode is that of the URL (`sslmode`), and means what it means to `psql`. Under
//! `prefer`, the default, a connection is encrypted if that can be, and nothing is
//! verified, so it protects from a listener on the way, not from an attacker who
//! intervenes. If the certificate or protocol is too old for the TLS library, the
//! connection is then made without TLS, as `psql` does when its handshake fails, and the
//! log says so. From `require` on that is an error.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection};

/// Makes a connection, and returns it with the options under which others are made.
///
/// # Errors
/// The server cannot be reached, or not in the mode that the URL asks for.
pub(crate) async fn connect(
    options: PgConnectOptions,
) -> Result<(PgConnectOptions, PgConnection), sqlx::Error> {
    let prefers = matches!(options.get_ssl_mode(), PgSslMode::Prefer);
    let why = match options.connect().await {
        Ok(connection) => return Ok((options, connection)),
        Err(error) => match of_handshake(&error) {
            Some(why) if prefers => why,
            _ => return Err(error),
        },
    };
    tracing::warn!(
        why,
        "connections to the database are not encrypted: TLS fails with its certificate or version; sslmode=require in the URL would refuse it"
    );
    let options = options.ssl_mode(PgSslMode::Disable);
    let connection = options.connect().await?;
    Ok((options, connection))
}

/// Returns the reason if the handshake failed, before any statement.
fn of_handshake(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Tls(_) => Some(error.to_string()),
        // How the TLS library reports what it does not understand or accept.
        sqlx::Error::Io(inner) if inner.kind() == std::io::ErrorKind::InvalidData => {
            Some(inner.to_string())
        }
        _ => None,
    }
}
