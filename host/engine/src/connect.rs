//! Opening an engine: the first connection, migrations, pools and tasks.

use std::str::FromStr;
use std::time::Duration;

use model::{Limits, Retention};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::database::{
    Liveness, PLANNER, Pool, Session, first_connection, prepare_schema, read_instance,
};
use crate::engine::Parts;
use crate::tasks::Tasks;
use crate::wake::Wake;
use crate::{Engine, Error, SecretsKeys};

/// How to open an engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// URL of the database.
    pub database_url: String,
    /// Limits that an operator may change.
    pub limits: Limits,
    /// How long finished executions and events are kept.
    pub retention: Retention,
    /// Whether to use a server that may lose acknowledged work.
    pub allow_unsafe: bool,
    /// Whether to bring the schema up to this version first.
    pub migrate: bool,
    /// Number of partitions of a new instance; one if absent. Without effect on an
    /// instance that has executions.
    pub partitions: Option<u16>,
    /// URL to listen for wake-ups on, if `database_url` leads through a pooler that keeps
    /// no sessions: that of the server itself.
    pub listen_url: Option<String>,
    /// Whether hosts wake each other; otherwise they poll, up to a second later.
    pub wake_ups: bool,
    /// Keys that encrypt secrets in the database; without them waitpoint tokens can be
    /// neither minted nor verified.
    pub secrets: Option<SecretsKeys>,
}

impl Settings {
    /// Returns the settings of a host on this database, with every default.
    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            limits: Limits::default(),
            retention: Retention::default(),
            allow_unsafe: false,
            migrate: true,
            partitions: None,
            listen_url: None,
            wake_ups: true,
            secrets: None,
        }
    }
}

const VERB_CONNECTIONS: usize = 12;
const READ_CONNECTIONS: usize = 8;
/// Longest a statement of a verb may take on its way and back.
const VERB_BOUND: Duration = Duration::from_secs(8);
/// Longest a read or a sweep may take: a little more than the server lets it run.
const READ_BOUND: Duration = Duration::from_secs(35);
/// Longest each step of the first connection may take.
const FIRST_TIMEOUT: Duration = Duration::from_secs(10);

impl Engine {
    /// Opens an engine on a database.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server cannot be reached,
    /// [`Error::Unsafe`] when it may lose acknowledged work,
    /// [`Error::Session`] when a pooler on the way gives no sessions to rely on,
    /// [`Error::Schema`] when the schema is not this version's.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let session = Session::with(&PLANNER);
        let url = options(&settings.database_url)?;
        let first = first_connection(url, &session, settings.allow_unsafe);
        let (options, mut first) = in_time(first).await?;
        prepare_schema(&mut first, settings.migrate, settings.partitions).await?;
        let instance = in_time(read_instance(&mut first)).await?;
        // A connection that does not close in order is closed all the same.
        let _ = in_time(async { Ok(first.close().await?) }).await;

        let tasks = Tasks::default();
        let liveness = Liveness::new();
        let pool = |connections, bound| {
            Pool::new(
                connections,
                bound,
                options.clone(),
                session.clone(),
                &liveness,
            )
        };
        let verbs = pool(VERB_CONNECTIONS, VERB_BOUND);
        let reads = pool(READ_CONNECTIONS, READ_BOUND);
        let wake = Wake::start(listen_options(&settings, &options)?, &tasks, &liveness);
        Ok(Self::assemble(Parts {
            instance,
            limits: settings.limits,
            retention: settings.retention,
            verbs,
            reads,
            wake,
            tasks,
            liveness,
            secrets: settings.secrets,
            rehearses: false,
        }))
    }
}

/// Bounds a step that is made before there are pools that bound their statements.
async fn in_time<T>(asking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(FIRST_TIMEOUT, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unavailable(format!(
            "it did not answer within {} s",
            FIRST_TIMEOUT.as_secs()
        ))),
    }
}

/// What sessions of hosts are called, before the last migration that their version knows.
/// Those of the versions before flows are called just so.
pub(crate) const SESSION_NAME: &str = "flowhost";
/// The first migration of flows.
pub(crate) const FLOWS: i32 = 22;
/// The last migration that this version knows.
const KNOWS: i32 = 22;

/// Reads a URL. Sessions set what they need themselves, so connections ask for
/// nothing at their start that a pooler might refuse.
fn options(url: &str) -> Result<PgConnectOptions, Error> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name(&format!("{SESSION_NAME} {KNOWS}"))
        .extra_float_digits(None)
        .disable_statement_logging())
}

/// Returns where this host listens for wake-ups, if it does.
fn listen_options(
    settings: &Settings,
    options: &PgConnectOptions,
) -> Result<Option<PgConnectOptions>, Error> {
    if !settings.wake_ups {
        return Ok(None);
    }
    match &settings.listen_url {
        Some(url) => Ok(Some(self::options(url)?.ssl_mode(options.get_ssl_mode()))),
        None => Ok(Some(options.clone())),
    }
}
