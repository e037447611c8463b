//! Opening an engine: connections, migrations, and a look at the server.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use model::{Limits, Partitions, Retention};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::coalesce::Coalescer;
use crate::{
    Engine, Error, Inner, SecretsKeys, component, execution, lane, reconcile, standby, suspension,
    waitpoint_key, wake,
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
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

impl Engine {
    /// Opens an engine on a database.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server cannot be reached,
    /// [`Error::Unsafe`] when it may lose acknowledged work,
    /// [`Error::Schema`] when the schema is not this version's.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(&settings.database_url)?
            .application_name("flowhost")
            .options([
                ("statement_timeout", "30s"),
                ("idle_in_transaction_session_timeout", "5s"),
                ("timezone", "UTC"),
                // The planner is told that what verbs must not do is dear, and dear
                // plans would be compiled, for longer than they run.
                ("jit", "off"),
            ])
            .disable_statement_logging();
        let mut first = PgConnection::connect_with(&options).await?;
        if !settings.allow_unsafe {
            assert_safe(&mut first).await?;
        }
        prepare_schema(&mut first, &settings).await?;
        let instance = read_instance(&mut first).await?;
        first.close().await?;

        let verbs = pool(VERB_CONNECTIONS).connect_lazy_with(options.clone().options(PLANNER));
        let reads = pool(READ_CONNECTIONS).connect_lazy_with(options.clone().options(READ_PLANNER));
        let wake = wake::Wake::start(options);
        let standbys = standby::Standbys::default();
        let statements = |pool: &PgPool| execution::Statements {
            verbs: pool.clone(),
            wake: wake.clone(),
            standbys: standbys.clone(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                create: Coalescer::start("create", 2, statements(&verbs)),
                release: Coalescer::start("release", 2, statements(&verbs)),
                suspend: Coalescer::start("suspend", 2, statements(&verbs)),
                // One at a time: two would change what the other decided on.
                deliver: Coalescer::start("deliver", 1, statements(&verbs)),
                look: Coalescer::start("look", 2, statements(&verbs)),
                progress: Coalescer::start("progress", 1, statements(&verbs)),
                finish: Coalescer::start("finish", 1, statements(&verbs)),
                known: component::Known::default(),
                lanes: lane::Lanes::default(),
                signals: suspension::Tally::default(),
                seals: tokio::sync::OnceCell::new(),
                waitpoint_keys: waitpoint_key::Ring::new(settings.secrets, instance),
                limits: settings.limits,
                retention: settings.retention,
                walks: reconcile::Walks::default(),
                looked: reconcile::Looked::default(),
                ledgers: reconcile::Ledgers::default(),
                instance,
                wake,
                standbys,
                verbs,
                reads,
            }),
        })
    }
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Verbs are single statements: a connection comes back as it went, and
        // a broken one is noticed by the statement that meets it.
        .test_before_acquire(false)
}

/// The verbs find rows by key, one lookup for each. On tables that are young or
/// have just been emptied the planner would rather read them whole, and keep
/// doing so while they grow; nor should it plan anew for each length of a batch.
///
/// Settings alone do not do it. Statements look rows up in a lateral subquery
/// with `OFFSET 0`, which the planner cannot turn around, and change them by the
/// address found; a join would let it read a partition and compare each with each.
pub const PLANNER: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Lists read a page of executions and look up the rest, row by row.
const READ_PLANNER: [(&str, &str); 2] = [("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

/// Refuses a server that would lose acknowledged work or cannot hold payloads.
async fn assert_safe(connection: &mut PgConnection) -> Result<(), Error> {
    let settings = sqlx::query!(
        r#"SELECT current_setting('fsync') AS "fsync!",
                  current_setting('full_page_writes') AS "full_page_writes!",
                  current_setting('synchronous_commit') AS "synchronous_commit!",
                  current_setting('server_encoding') AS "server_encoding!",
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
    if settings.server_encoding != "UTF8" {
        return refuse(
            "server_encoding",
            &settings.server_encoding,
            "UTF8",
            "names and messages are UTF-8",
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
