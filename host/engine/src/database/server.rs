//! The first connection, and what it finds out about the server and the way to it.

use std::sync::Arc;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::session::{self, Session};
use super::tls;
use crate::Error;

/// Opens the first connection and checks the server and the way to it; returns also the
/// options under which other connections are made.
///
/// # Errors
/// [`Error::Database`] for a wrong password or database name; [`Error::Unsafe`] for a
/// server that may lose acknowledged work, unless `allow_unsafe`; [`Error::Session`] for
/// a database that is not UTF-8, and for sessions that do not last.
pub(crate) async fn first_connection(
    options: PgConnectOptions,
    session: &Session,
    allow_unsafe: bool,
) -> Result<(PgConnectOptions, PgConnection), Error> {
    let (options, mut first) = tls::connect(options).await.map_err(refused)?;
    session.open(&mut first).await?;
    if !allow_unsafe {
        assert_safe(&mut first).await?;
    }
    assert_utf8(&mut first).await?;
    session::assert_lasting(&options, session).await?;
    Ok((options, first))
}

/// Returns why there is no first connection: before a host runs, a wrong password or
/// database is a mistake and not an outage.
fn refused(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    match code {
        Some(code) if code.starts_with("28") || code == "3D000" => Error::Database(Arc::new(error)),
        _ => error.into(),
    }
}

/// Refuses a database that cannot hold the names and messages of every language.
async fn assert_utf8(connection: &mut PgConnection) -> Result<(), Error> {
    let encoding =
        sqlx::query_scalar!(r#"SELECT current_setting('server_encoding') AS "server_encoding!""#)
            .fetch_one(connection)
            .await?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(Error::Session(format!(
        "the database's encoding (server_encoding) is {encoding}, and names and messages are UTF-8: create it with ENCODING 'UTF8' TEMPLATE template0"
    )))
}

/// Refuses a server that would lose acknowledged work.
async fn assert_safe(connection: &mut PgConnection) -> Result<(), Error> {
    let settings = sqlx::query!(
        r#"SELECT current_setting('fsync') AS "fsync!",
                  current_setting('full_page_writes') AS "full_page_writes!",
                  current_setting('synchronous_commit') AS "synchronous_commit!",
                  pg_is_in_recovery() AS "in_recovery!""#
    )
    .fetch_one(connection)
    .await?;
    let require = |safe: bool, setting, value: String, wanted, why| {
        safe.then_some(()).ok_or(Error::Unsafe {
            setting,
            value,
            wanted,
            why,
        })
    };
    let value = settings.in_recovery.to_string();
    let why = "it is a replica and takes no writes";
    require(value == "false", "pg_is_in_recovery()", value, "false", why)?;
    let value = settings.fsync;
    let why = "a crash of the machine may lose or corrupt everything";
    require(value == "on", "fsync", value, "on", why)?;
    let value = settings.full_page_writes;
    let why = "a crash of the machine may corrupt pages";
    require(value == "on", "full_page_writes", value, "on", why)?;
    let value = settings.synchronous_commit;
    let why = "a crash of the server loses what it acknowledged last";
    require(value != "off", "synchronous_commit", value, "on", why)
}
