//! Opening an engine: connections, migrations, and a look at the server.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use model::{Limits, Partitions, Retention};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::coalesce::{Coalescer, Overseers};
use crate::health::Health;
use crate::pool::{Pool, Trust};
use crate::session::{self, Session};
use crate::statements::Statements;
use crate::tasks::Tasks;
use crate::{
    Engine, Error, Inner, SecretsKeys, component, lane, metrics, reconcile, signal, standby, tls,
    waitpoint, wake,
};

/// The migrations of this version.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// How to open an engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the database is.
    pub database_url: String,
    /// Bounds an operator may move.
    pub limits: Limits,
    /// How long what has ended is kept.
    pub retention: Retention,
    /// Whether to work on a server that may lose acknowledged work.
    pub allow_unsafe: bool,
    /// Whether to bring the schema up to this version first.
    pub migrate: bool,
    /// How many partitions a new instance gets; one unless the database is
    /// distributed. Without effect on an instance that has executions.
    pub partitions: Option<u16>,
    /// Where to listen for wake-ups, if not through `database_url`: the server
    /// itself, when that leads through a pooler that keeps no session.
    pub listen_url: Option<String>,
    /// Whether hosts wake each other; without, they poll, up to a second later.
    pub wake_ups: bool,
    /// What encrypts secrets in the database; without it waitpoint tokens can be
    /// neither minted nor read.
    pub secrets: Option<SecretsKeys>,
}

impl Settings {
    /// Returns the settings of a host on this database.
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

/// Who an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Random, drawn when the database was migrated first.
    pub id: Uuid,
    /// Grows when the database is restored elsewhere.
    pub generation: u32,
    /// How many partitions it was created with.
    pub partitions: Partitions,
}

const VERB_CONNECTIONS: u32 = 12;
const READ_CONNECTIONS: u32 = 8;
/// Longest a statement of a verb may take on its way and back.
const VERB_BOUND: Duration = Duration::from_secs(8);
/// Longest a read or a sweep may: a little more than the server lets it run.
const READ_BOUND: Duration = Duration::from_secs(35);
/// Longest the first connection may take, and the look at what is there.
const FIRST_TIMEOUT: Duration = Duration::from_secs(10);

impl Engine {
    /// Opens an engine on a database.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server cannot be reached,
    /// [`Error::Unsafe`] when it may lose acknowledged work,
    /// [`Error::Session`] when something in between gives no sessions to rely on,
    /// [`Error::Schema`] when the schema is not this version's.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let verb_session = Session::with(&session::PLANNER);
        let (options, mut first) = in_time(open(&settings, &verb_session)).await?;
        prepare_schema(&mut first, &settings).await?;
        let instance = in_time(read_instance(&mut first)).await?;
        // What a server thinks of the end of a connection matters to none.
        let _ = in_time(async { Ok(first.close().await?) }).await;

        let tasks = Tasks::default();
        let health = Health::new();
        let trust = Trust::new(health.clone());
        let pool = |connections, bound, session| {
            Pool::new(connections, bound, options.clone(), session, &trust)
        };
        let verbs = pool(VERB_CONNECTIONS, VERB_BOUND, verb_session);
        let reads = pool(
            READ_CONNECTIONS,
            READ_BOUND,
            Session::with(&session::READ_PLANNER),
        );
        let wake = wake::Wake::start(listen_options(&settings, &options)?, &tasks, &trust);
        let standbys = standby::Standbys::default();
        let timings = metrics::Timings::default();
        let overseers = Overseers {
            tasks: tasks.clone(),
            trust: trust.clone(),
            timings: timings.clone(),
        };
        let statements = || Statements {
            verbs: verbs.clone(),
            wake: wake.clone(),
            standbys: standbys.clone(),
        };
        // One line each, with its flushers and whether it writes.
        Ok(Self {
            inner: Arc::new(Inner {
                create: Coalescer::start("create", 2, true, statements(), &overseers),
                end_lease: Coalescer::start("end_lease", 2, true, statements(), &overseers),
                suspend: Coalescer::start("suspend", 2, true, statements(), &overseers),
                // One at a time: two would change what the other decided on.
                deliver: Coalescer::start("deliver", 1, true, statements(), &overseers),
                outcome: Coalescer::start("outcome", 2, false, statements(), &overseers),
                progress: Coalescer::start("progress", 1, true, statements(), &overseers),
                finish: Coalescer::start("finish", 1, true, statements(), &overseers),
                known: component::Known::default(),
                lanes: lane::Lanes::default(),
                signals: signal::SignalCounters::default(),
                handle_signer: tokio::sync::OnceCell::new(),
                waitpoint_keys: waitpoint::Ring::new(settings.secrets, instance),
                limits: settings.limits,
                retention: settings.retention,
                walks: reconcile::Walks::default(),
                looked: reconcile::Looked::default(),
                ledgers: reconcile::Ledgers::default(),
                timings,
                tasks,
                health,
                instance,
                wake,
                standbys,
                verbs,
                reads,
            }),
        })
    }
}

/// Bounds what is asked of the server before there are pools that do so.
async fn in_time<T>(asking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(FIRST_TIMEOUT, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unavailable(format!(
            "it did not answer within {} s",
            FIRST_TIMEOUT.as_secs()
        ))),
    }
}

/// Opens the first connection and looks at the server and the way to it.
async fn open(
    settings: &Settings,
    session: &Session,
) -> Result<(PgConnectOptions, PgConnection), Error> {
    let connected = tls::connect(options(&settings.database_url)?).await;
    let (options, mut first) = connected.map_err(refused)?;
    session.open(&mut first).await?;
    if !settings.allow_unsafe {
        assert_safe(&mut first).await?;
    }
    assert_readable(&mut first).await?;
    session::assert_lasting(&options, session).await?;
    Ok((options, first))
}

/// Sorts why there is no first connection: before there is a host, a wrong password or
/// database is a mistake and no outage.
fn refused(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    match code {
        Some(code) if code.starts_with("28") || code == "3D000" => Error::Database(Arc::new(error)),
        _ => error.into(),
    }
}

/// Reads a URL. Sessions set what they need themselves, so connections ask for
/// nothing at their start that a pooler might refuse.
fn options(url: &str) -> Result<PgConnectOptions, Error> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("flowhost")
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

/// Refuses a database that cannot hold the names and messages of every language.
async fn assert_readable(connection: &mut PgConnection) -> Result<(), Error> {
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
    let refuse = |setting, value: &str, wanted, why| {
        Err(Error::Unsafe {
            setting,
            value: value.to_owned(),
            wanted,
            why,
        })
    };
    if settings.in_recovery {
        return refuse(
            "pg_is_in_recovery()",
            "true",
            "false",
            "it is a replica and takes no writes",
        );
    }
    if settings.fsync != "on" {
        return refuse(
            "fsync",
            &settings.fsync,
            "on",
            "a crash of the machine may lose or corrupt everything",
        );
    }
    if settings.full_page_writes != "on" {
        return refuse(
            "full_page_writes",
            &settings.full_page_writes,
            "on",
            "a crash of the machine may corrupt pages",
        );
    }
    if settings.synchronous_commit == "off" {
        return refuse(
            "synchronous_commit",
            "off",
            "on",
            "a crash of the server loses what it acknowledged last",
        );
    }
    Ok(())
}

async fn prepare_schema(connection: &mut PgConnection, settings: &Settings) -> Result<(), Error> {
    if settings.migrate {
        MIGRATOR.run(&mut *connection).await?;
    }
    if let Some(partitions) = settings.partitions {
        let count = Partitions::new(partitions)
            .ok_or_else(|| Error::Schema(format!("{partitions} partitions: must be 1 to 4096")))?;
        sqlx::query!(
            "UPDATE instance SET partitions = $1 WHERE NOT EXISTS (SELECT FROM execution)",
            count.count() as i16
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn read_instance(connection: &mut PgConnection) -> Result<Instance, Error> {
    let row = sqlx::query!("SELECT id, generation, partitions FROM instance")
        .fetch_one(connection)
        .await
        .map_err(|error| match error {
            sqlx::Error::Database(db) if db.code().as_deref() == Some("42P01") => {
                Error::Schema("it has none yet; run `flowhost migrate`".to_owned())
            }
            other => other.into(),
        })?;
    Ok(Instance {
        id: row.id,
        generation: u32::try_from(row.generation)
            .map_err(|error| Error::corrupt("instance", "generation", row.id, error))?,
        partitions: u16::try_from(row.partitions)
            .ok()
            .and_then(Partitions::new)
            .ok_or_else(|| Error::corrupt("instance", "partitions", row.id, row.partitions))?,
    })
}
