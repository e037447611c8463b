//! A minimal client: enough of the Postgres protocol to ask whether the server
//! is ready and to send it a simple query.
//!
//! It exists so that starting the cluster needs neither a client library nor
//! `psql`, which some packages of the server lack. It speaks protocol 3.0 over
//! the Unix socket, takes only servers that trust it, and returns values as
//! text.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// No message this client causes comes near it; a longer one is a broken peer.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A row of a result, as text; `None` is SQL `NULL`.
pub type Row = Vec<Option<String>>;

/// A fault while talking to the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The socket failed or was closed.
    #[error("the connection to Postgres failed: {0}")]
    Io(#[from] io::Error),
    /// The server answered with an error.
    #[error("Postgres says: {message} (SQLSTATE {sqlstate})")]
    Refused {
        /// The error code: five characters.
        sqlstate: String,
        /// The primary message of the error.
        message: String,
    },
    /// The server sent a message that this client does not expect.
    #[error("Postgres sent something unexpected: {0}")]
    Unexpected(String),
}

/// An open connection to the server.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
}

impl Connection {
    /// Connects and waits until the server is ready for a query. `timeout`
    /// bounds every single read and write from here on.
    ///
    /// # Errors
    /// [`WireError::Refused`] with SQLSTATE `57P03` while the server is starting,
    /// stopping or recovering.
    pub fn open(
        socket: &Path,
        user: &str,
        database: &str,
        timeout: Duration,
    ) -> Result<Self, WireError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for text in [
            "user",
            user,
            "database",
            database,
            "application_name",
            "pgserver",
        ] {
            body.extend(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        let mut connection = Self { stream };
        connection.stream.write_all(&length_of(&body))?;
        connection.stream.write_all(&body)?;
        connection.until_ready()?;
        Ok(connection)
    }

    /// Runs one statement and returns its rows.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, WireError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.stream.write_all(b"Q")?;
        self.stream.write_all(&length_of(&body))?;
        self.stream.write_all(&body)?;
        self.until_ready()
    }

    /// Reads up to `ReadyForQuery`. An error before it is returned after it, so
    /// that the connection stays usable; a fatal one has nothing after it.
    fn until_ready(&mut self) -> Result<Vec<Row>, WireError> {
        let mut rows = Vec::new();
        let mut refusal = None;
        loop {
            let (kind, body) = match self.message() {
                Ok(message) => message,
                Err(error) => return Err(refusal.unwrap_or(error)),
            };
            match kind {
                b'Z' => return refusal.map_or(Ok(rows), Err),
                b'E' => refusal = Some(refused(&body)),
                b'D' => rows.push(row(&body).ok_or_else(|| unexpected("a malformed row"))?),
                b'R' if body == [0, 0, 0, 0] => {}
                b'R' => return Err(unexpected("a demand for a password")),
                // Parameters, cancel key, row description, completions, notices
                // and notifications carry nothing that is needed here.
                b'S' | b'K' | b'T' | b'C' | b'I' | b'N' | b'A' => {}
                other => {
                    return Err(unexpected(&format!(
                        "a message of kind {:?}",
                        char::from(other)
                    )));
                }
            }
        }
    }

    fn message(&mut self) -> Result<(u8, Vec<u8>), WireError> {
        let mut header = [0; 5];
        self.stream.read_exact(&mut header)?;
        let [kind, length @ ..] = header;
        let length = u32::from_be_bytes(length) as usize;
        if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(unexpected(&format!("a message of {length} bytes")));
        }
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok((kind, body))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Terminate, so that the server does not log a lost connection.
        let _ = self.stream.write_all(b"X\0\0\0\x04");
    }
}

fn unexpected(what: &str) -> WireError {
    WireError::Unexpected(what.to_owned())
}

/// The length field of a message: itself and the body.
fn length_of(body: &[u8]) -> [u8; 4] {
    (body.len() as u32 + 4).to_be_bytes()
}

/// Reads an ErrorResponse: fields of one letter and a string, closed by a zero.
fn refused(body: &[u8]) -> WireError {
    let field = |letter: u8| {
        body.split(|&byte| byte == 0)
            .find(|field| field.first() == Some(&letter))
            .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
            .unwrap_or_default()
    };
    WireError::Refused {
        sqlstate: field(b'C'),
        message: field(b'M'),
    }
}

/// Reads a DataRow: a count, then for each value its length (-1 for NULL) and text.
fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut row = Row::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        row.push(match usize::try_from(i32::from_be_bytes(*length)) {
            Err(_) => None,
            Ok(length) => {
                let (value, after) = rest.split_at_checked(length)?;
                rest = after;
                Some(String::from_utf8_lossy(value).into_owned())
            }
        });
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_null_apart_from_empty() {
        let body = b"\0\x03\xff\xff\xff\xff\0\0\0\0\0\0\0\x02on";
        let expected = vec![None, Some(String::new()), Some("on".to_owned())];
        assert_eq!(row(body), Some(expected));
        assert_eq!(row(&body[..body.len() - 1]), None, "cut short");
    }

    #[test]
    fn an_error_response_yields_code_and_message() {
        let error = refused(b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0");
        assert_eq!(
            error.to_string(),
            "Postgres says: the database system is starting up (SQLSTATE 57P03)"
        );
    }
}
