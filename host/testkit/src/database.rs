//! One database per test, cloned from a migrated template on one server per run.
//!
//! With `DATABASE_URL` set, that server is used (its user must be allowed to
//! create databases); otherwise a private cluster is started, without durability,
//! and stops with the process.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use engine::{Engine, Settings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

use crate::{Answered as _, eventually};

/// A database of one test; dropped with the server or swept by a later run.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
    url: String,
}

/// What encrypts secrets in the databases of tests.
pub const SECRETS_KEY: &str = "7e57000000000000000000000000000000000000000000000000000000007e57";

/// Name of the template; a change of the migrations makes another.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Makes an empty, migrated database.
///
/// # Panics
/// Without a server to make it on; the message says how to get one.
pub async fn database() -> Database {
    make().await.unwrap_or_else(|error| {
        panic!("no test database: {error:#}\nrun `make postgres`, or set DATABASE_URL to a server")
    })
}

async fn make() -> Result<Database> {
    let template = TEMPLATE.get_or_try_init(template).await?;
    let name = format!(
        "fh_test_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let mut server = connect("postgres").await?;
    create(&mut server, &name, Some(template)).await?;
    server.close().await?;
    let options = options(&name)?;
    let url = options.to_url_lossy().to_string();
    Ok(Database { options, url })
}

impl Database {
    /// Returns one that is there already, migrated.
    ///
    /// # Panics
    /// If `url` is not the URL of a database.
    pub fn at(url: &str) -> Self {
        Self {
            options: url.parse().expect("the URL of a database"),
            url: url.to_owned(),
        }
    }

    /// Returns where the database is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns settings for an engine on it; the server of tests is not durable.
    pub fn settings(&self) -> Settings {
        Settings {
            allow_unsafe: true,
            migrate: false,
            secrets: Some(engine::SecretsKeys::parse(SECRETS_KEY).expect("a key")),
            ..Settings::new(self.url.clone())
        }
    }

    /// Opens an engine on it that knows the kinds the tests use.
    pub async fn engine(&self) -> Engine {
        let engine = Engine::connect(self.settings())
            .await
            .expect("an engine opens");
        for kind in ["echo", "other"] {
            engine.define_kind(kind).await.accepted();
        }
        engine
    }

    /// Waits until every event written so far can be read: a reader stops before the
    /// oldest transaction that runs anywhere on the server, and other tests have some.
    pub async fn events_are_readable(&self) {
        let mut connection = self.connection().await;
        eventually("the log is readable to its end", async || {
            let readable: bool = sqlx::query_scalar(
                "SELECT NOT EXISTS (SELECT FROM event
                                    WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()))",
            )
            .fetch_one(&mut connection)
            .await
            .expect("the database answers");
            readable.then_some(())
        })
        .await;
    }

    /// Opens a connection for looking into it.
    pub async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.options)
            .await
            .expect("a connection opens")
    }

    /// Lets time pass: moves every stored point in time that is compared with
    /// the database's clock back by as much.
    pub async fn advance(&self, by: Duration) {
        let mut connection = self.connection().await;
        let ms = i64::try_from(by.as_millis()).expect("a test's lifetime");
        for (table, column) in [
            ("parked", "wake_at"),
            ("lease", "expires_at"),
            ("lease", "attempt_deadline_at"),
            ("timer", "due_at"),
            ("idempotency", "expires_at"),
            ("ready", "granted_until"),
            ("worker", "expires_at"),
            ("worker", "dead_at"),
            ("finished", "finished_at"),
            ("event", "at"),
            ("execution_class", "used_at"),
            ("execution_class", "unused_since"),
            ("waitpoint_key", "not_after"),
            ("waitpoint", "expires_at"),
            ("signal", "key_expires_at"),
            ("api_key", "expires_at"),
            ("api_key", "last_used_at"),
            ("api_key", "revoked_at"),
            ("api_key_secret", "valid_until"),
            ("webhook", "turn_until"),
            ("webhook", "next_try_at"),
            ("webhook", "failed_since"),
            ("webhook", "old_secret_until"),
            ("stream", "due_at"),
            ("flow", "changed_at"),
            ("flow", "ended_at"),
            ("flow_group", "starts_at"),
            ("audit", "at"),
            ("audit_refusals", "minute"),
        ] {
            let statement =
                format!("UPDATE {table} SET {column} = {column} - {ms} * interval '1 millisecond'");
            connection
                .execute(AssertSqlSafe(statement))
                .await
                .expect("time moves");
        }
    }

    /// Asserts the invariants that hold in any snapshot.
    pub async fn assert_invariants(&self) {
        let mut connection = self.connection().await;
        let mut broken: Vec<(String, i64)> = Vec::new();
        for rules in [
            include_str!("invariants.sql"),
            include_str!("flow_invariants.sql"),
        ] {
            let rows = sqlx::query_as(rules).fetch_all(&mut connection).await;
            broken.extend(rows.expect("invariants can be read"));
        }
        let broken: Vec<_> = broken.into_iter().filter(|(_, rows)| *rows > 0).collect();
        assert!(broken.is_empty(), "broken invariants: {broken:?}");
    }
}

async fn template() -> Result<String> {
    use std::hash::{Hash, Hasher};
    let mut hash = std::hash::DefaultHasher::new();
    for migration in engine::MIGRATOR.iter() {
        migration.checksum.hash(&mut hash);
    }
    let name = format!("fh_template_{:016x}", hash.finish());
    let mut server = connect("postgres").await?;
    // Several test processes may share one server.
    sqlx::query("SELECT pg_advisory_lock(7217)")
        .execute(&mut server)
        .await?;
    let known: Option<(String,)> =
        sqlx::query_as("SELECT datname FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut server)
            .await?;
    if known.is_none() {
        let building = format!("{name}_building");
        server
            .execute(AssertSqlSafe(format!(
                "DROP DATABASE IF EXISTS {building} WITH (FORCE)"
            )))
            .await?;
        create(&mut server, &building, None).await?;
        let mut connection = connect(&building).await?;
        engine::MIGRATOR.run(&mut connection).await?;
        connection.close().await?;
        server
            .execute(AssertSqlSafe(format!(
                "ALTER DATABASE {building} RENAME TO {name}"
            )))
            .await?;
    }
    server.close().await?;
    Ok(name)
}

async fn create(server: &mut PgConnection, name: &str, template: Option<&String>) -> Result<()> {
    let mut statement = format!("CREATE DATABASE {name}");
    if let Some(template) = template {
        statement.push_str(&format!(" TEMPLATE {template} STRATEGY file_copy"));
    }
    server
        .execute(AssertSqlSafe(statement))
        .await
        .with_context(|| format!("creating database {name}"))?;
    Ok(())
}

async fn connect(database: &str) -> Result<PgConnection> {
    let options = options(database)?;
    PgConnection::connect_with(&options)
        .await
        .context("connecting to the test server")
}

fn options(database: &str) -> Result<PgConnectOptions> {
    Ok(server()?.parse::<PgConnectOptions>()?.database(database))
}

/// Returns where the server is, starting one if need be.
fn server() -> Result<&'static str> {
    static SERVER: OnceLock<Result<String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var("DATABASE_URL") {
        Ok(url) => Ok(url),
        Err(_) => start(),
    });
    server
        .as_deref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))
}

/// Starts a cluster that stops with this process: its supervisor's thread ends
/// with it, and the server follows the thread.
fn start() -> Result<String> {
    let data_dir = scratch()?;
    let mut settings = pgserver::Settings::new(&data_dir);
    settings.durable = false;
    settings.max_connections = 300;
    settings.cache_dir = pgserver::default_cache_dir().ok();
    let cluster = pgserver::start(settings)?;
    let url = cluster.url("postgres");
    std::mem::forget(cluster);
    Ok(url)
}

/// Returns a new directory, having removed those of test runs that are over.
fn scratch() -> Result<PathBuf> {
    let base = std::env::temp_dir().join("flowhost-tests");
    make_traversable(&base)?;
    for entry in std::fs::read_dir(&base)?.flatten() {
        let over = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
            .is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists());
        if over {
            // Another run may be removing it as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let directory = base.join(std::process::id().to_string());
    make_traversable(&directory)?;
    Ok(directory)
}

fn make_traversable(directory: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(directory)?;
    // The server may run as another user, who has to pass through here.
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755));
    Ok(())
}
