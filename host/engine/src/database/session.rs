//! The settings that statements rely on: each new session sets them and reads them back.
//!
//! Roles, databases and servers have defaults of their own, and a pooler between a host
//! and its server drops what a connection asks for as it starts. So each new connection
//! sets what statements rely on and reads it back, in one round trip.
//!
//! A session must also last: statements are prepared once for each connection, under
//! names that the client gives them. A pooler that gives each transaction another session
//! would run another statement of that name, so [`assert_lasting`] refuses it.

use std::sync::Arc;

use futures::future::try_join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::Error;

/// Settings of every session.
const COMMON: [(&str, &str); 10] = [
    ("client_encoding", "UTF8"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Pools close connections that they no longer need.
    ("idle_session_timeout", "0"),
    // A statement may wait for locked rows as long as it may run.
    ("lock_timeout", "0"),
    ("timezone", "UTC"),
    // Guards are in the statements; stricter levels answer with conflicts instead.
    ("default_transaction_isolation", "read committed"),
    // `enable_seqscan = off` makes some plans look expensive; JIT would compile them,
    // which takes longer than running them.
    ("jit", "off"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
];

/// Has the server give up a client that vanished without a word, and with it the session
/// and its locks, after a minute instead of hours. Not read back: where no TCP is between
/// host and server they are not kept.
const KEEPALIVE: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// Settings of the planner. Statements find rows by key, one lookup for each, or a page of
/// them in the order of an index. Tables that are new or were just emptied the planner
/// would otherwise read as a whole, and keep doing so while they grow; nor should it plan
/// again for each length of a batch, or for each read of one row, which takes longer than
/// the read.
///
/// Settings alone do not suffice. Statements look rows up in a lateral subquery
/// with `OFFSET 0`, which the planner cannot invert, and change them by the
/// address found; a join would let it read a partition and compare all pairs.
pub const PLANNER: [(&str, &str); 8] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_indexscan", "on"),
    ("enable_indexonlyscan", "on"),
    ("enable_nestloop", "on"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// The settings of the sessions of a pool; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    settings: Vec<(&'static str, &'static str)>,
    /// The statements that set and read them, in one message.
    sql: String,
}

impl Session {
    /// Describes sessions with these settings besides those of every session.
    pub(crate) fn with(more: &[(&'static str, &'static str)]) -> Self {
        Self::opened_with(more, "")
    }

    /// Describes sessions of verbs that are in a transaction from their opening on, and
    /// never commit: the server undoes what they wrote when their connection closes.
    pub(crate) fn rehearsing() -> Self {
        Self::opened_with(&PLANNER, "BEGIN; ")
    }

    fn opened_with(more: &[(&'static str, &'static str)], then: &str) -> Self {
        let settings: Vec<_> = COMMON.iter().chain(more).copied().collect();
        // A pooler may hand over a session as another client left it.
        let mut sql = "DEALLOCATE ALL; UNLISTEN *; ".to_owned();
        for (name, value) in KEEPALIVE.iter().chain(&settings) {
            sql.push_str(&format!("SET {name} = '{value}'; "));
        }
        sql.push_str(then);
        let read: Vec<String> = settings
            .iter()
            .map(|(name, _)| format!("current_setting('{name}')"))
            .collect();
        sql.push_str(&format!("SELECT {}", read.join(", ")));
        Self(Arc::new(Settings { settings, sql }))
    }

    /// Sets and checks the settings of a new connection.
    ///
    /// # Errors
    /// [`Error::Session`] if something between here and the server does not let it.
    pub(crate) async fn open(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let sql = AssertSqlSafe(self.0.sql.as_str());
        let rows = sqlx::raw_sql(sql).fetch_all(&mut *connection).await?;
        let Some(row) = rows.last() else {
            return Err(Error::Session("it answered nothing to SELECT".to_owned()));
        };
        for (at, (name, wanted)) in self.0.settings.iter().enumerate() {
            let value: String = row.try_get(at)?;
            if value != *wanted {
                return Err(Error::Session(format!(
                    "{name} was set to {wanted} and is {value}; a pooler in between must pass `SET` to the server"
                )));
            }
        }
        Ok(())
    }

    /// Opens a connection with such a session.
    pub(crate) async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, Error> {
        let mut connection = options.connect().await?;
        self.open(&mut connection).await?;
        Ok(connection)
    }
}

/// Number of connections that are compared with each other.
const COMPARED: usize = 3;
/// Setting that a session is marked with.
const MARK: &str = "flowhost.session";

/// Refuses sessions that do not last: marks some, uses them at the same time, and checks
/// whether each still has its mark and its process.
pub(crate) async fn assert_lasting(
    options: &PgConnectOptions,
    session: &Session,
) -> Result<(), Error> {
    let mut sessions = Vec::new();
    for _ in 0..COMPARED {
        let mut connection = session.connect(options).await?;
        let mark = Uuid::new_v4().to_string();
        let pid = probe(&mut connection, &mark, true).await?.1;
        sessions.push((connection, mark, pid));
    }
    let probes = sessions.iter_mut().map(async |(connection, mark, pid)| {
        let (found, now) = probe(connection, mark, false).await?;
        Ok::<_, Error>(found == *mark && now == *pid)
    });
    let lasting = try_join_all(probes).await?;
    for (connection, ..) in sessions {
        let _ = connection.close().await;
    }
    if lasting.iter().all(|lasts| *lasts) {
        return Ok(());
    }
    Err(Error::Session(
        "a pooler in between gives each transaction another one, and statements are prepared once for each connection: have it pool by session (pgbouncer: pool_mode = session), or name the server itself"
            .to_owned(),
    ))
}

/// Sets or reads the mark of a session; returns it and the process behind it. Prepares no
/// statement, since that is what may fail.
async fn probe(
    connection: &mut PgConnection,
    mark: &str,
    set: bool,
) -> Result<(String, i64), Error> {
    let mark = if set {
        format!("set_config('{MARK}', '{mark}', false)")
    } else {
        // Long enough that all of them run at the same time.
        format!("coalesce(current_setting('{MARK}', true), ''), pg_sleep(0.02)")
    };
    let sql = format!("SELECT pg_backend_pid()::text, {mark}");
    let row = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    let Some(row) = row.last() else {
        return Err(Error::Session("it answered nothing to SELECT".to_owned()));
    };
    let pid: String = row.try_get(0)?;
    Ok((row.try_get(1)?, pid.parse().unwrap_or_default()))
}
