//! One host: everything it consists of, started in order and stopped in
//! reverse.
//!
//! ```text
//! start: listen ─▶ Postgres ─▶ engine ─▶ runtime ─▶ HTTP ─▶ sweeps ─▶ worker ─▶ registry
//! stop:  not ready ─▶ worker drains ─▶ waiting requests, registry, sweeps, HTTP ─▶ engine ─▶ Postgres
//! ```
//!
//! The port is taken first, since a port in use is the cheapest thing to find
//! out. A database that goes away later stops nothing: requests are answered
//! 503 until it is back. Nor does it hold up the end: every step of it is bounded, and
//! skipped when the process is asked to end at once.
//!
//! While the worker drains, HTTP serves as before but for what asks for work: requests
//! that wait for the end of an execution may still see it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use engine::{Engine, Reconcilers, SecretsKeys, Sweeps};
use runtime::Runtime;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::config::Config;
use crate::http::{App, Server, router};
use crate::lifecycle::{Shutdown, at_once};
use crate::presence::Presence;

/// Name of the database in the host's own cluster.
pub const DATABASE: &str = "flowhost";

/// Longest requests may take to finish once the worker has drained.
const HTTP_GRACE: Duration = Duration::from_secs(3);
/// Longest everything may take that ends after the worker, but for the host's own
/// Postgres.
const END_GRACE: Duration = Duration::from_secs(5);
/// Longest the host's own Postgres may take to stop, unless the grace is longer.
const POSTGRES_GRACE: Duration = Duration::from_secs(10);

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The host's own Postgres did not start.
    #[error(transparent)]
    Postgres(#[from] pgserver::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// Guests cannot be run.
    #[error("cannot run guests: {0}")]
    Runtime(#[from] runtime::Error),
    /// A value of the configuration is out of bounds.
    #[error("{key}: {detail}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

/// A database that is in use, and the cluster it is in if that is the host's own.
#[derive(Debug)]
pub struct Database {
    /// Where it is.
    pub url: String,
    secrets: Option<SecretsKeys>,
    cluster: Option<pgserver::Cluster>,
}

impl Database {
    /// Uses the database configured, starting the host's own if there is none.
    ///
    /// # Errors
    /// The host's own did not start, or the key that encrypts secrets cannot be
    /// read.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let wrong = |(key, detail)| StartError::Config { key, detail };
        if let Some(url) = &config.database.url {
            return Ok(Self {
                url: url.clone(),
                secrets: config.secrets.keys(None).map_err(wrong)?,
                cluster: None,
            });
        }
        let settings = config.database.cluster()?;
        let cluster = blocking(move || pgserver::start(settings)).await?;
        info!(version = cluster.version(), "postgres started");
        let secrets = config.secrets.keys(Some(cluster.data_dir()));
        let mut database = Self {
            url: cluster.url(DATABASE),
            secrets: None,
            cluster: Some(cluster),
        };
        match secrets {
            Ok(secrets) => {
                database.secrets = secrets;
                Ok(database)
            }
            Err(error) => {
                database.close().await;
                Err(wrong(error))
            }
        }
    }

    /// Returns where it is; as secret as its password, if it has one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns version and data directory of the host's own cluster.
    pub fn embedded(&self) -> Option<(&str, &std::path::Path)> {
        let cluster = self.cluster.as_ref()?;
        Some((cluster.version(), cluster.data_dir()))
    }

    /// Opens the engine on it.
    ///
    /// # Errors
    /// See [`Engine::connect`].
    pub async fn engine(&self, config: &Config) -> Result<Engine, engine::Error> {
        let partitions = config.database.partitions;
        Engine::connect(engine::Settings {
            database_url: self.url.clone(),
            limits: config.limits,
            retention: config.retention,
            allow_unsafe: config.database.allow_unsafe,
            migrate: config.database.migrate,
            partitions: (partitions > 0).then_some(partitions),
            listen_url: config.database.listen_url.clone(),
            wake_ups: config.database.wake_ups,
            secrets: self.secrets.clone(),
        })
        .await
    }

    /// Stops the host's own cluster.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster
            && let Err(error) = blocking(move || cluster.stop()).await
        {
            warn!(%error, "postgres did not stop cleanly");
        }
    }
}

/// A running host.
pub struct Host {
    app: App,
    address: SocketAddr,
    database: Database,
    reconcilers: Reconcilers,
    server: Server,
    /// None on a host that only serves the API.
    presence: Option<Presence>,
}

impl Host {
    /// Starts a host. `compiler` is the binary whose `__compile` command turns
    /// components into machine code: this one, or what it was built with.
    ///
    /// # Errors
    /// The first part that does not start; what had started is stopped again.
    pub async fn start(config: &Config, compiler: PathBuf) -> Result<Self, StartError> {
        check(config)?;
        let address = config.http.listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let database = Database::open(config).await?;
        let (engine, runtime) = match Self::open(config, compiler, &database).await {
            Ok(opened) => opened,
            Err(error) => {
                database.close().await;
                return Err(error);
            }
        };
        let instance = config.worker.instance_name();
        let app = App::new(
            engine.clone(),
            runtime.clone(),
            config.http.clone(),
            config.http.callback_prefix(address),
            instance.clone(),
        );
        let server = Server::start(listener, router(app.clone()), &config.http, engine.tasks());
        let reconcilers = engine.start_reconcilers(Sweeps::default());
        let presence = (config.worker.slots > 0).then(|| {
            app.set_worker(runtime.worker(config.worker_settings(instance, address)));
            Presence::start(app.clone(), &config.worker)
        });
        app.set_ready(true);
        Ok(Self {
            app,
            address,
            database,
            reconcilers,
            server,
            presence,
        })
    }

    async fn open(
        config: &Config,
        compiler: PathBuf,
        database: &Database,
    ) -> Result<(Engine, Runtime), StartError> {
        let engine = database.engine(config).await?;
        // Nothing else depends on it, so the host serves without.
        if let Err(error) = engine.check_secrets().await {
            warn!("waitpoint tokens are refused: {error}");
        }
        let settings = config.runtime_settings(compiler);
        match Runtime::start(engine.clone(), settings) {
            Ok(runtime) => Ok((engine, runtime)),
            Err(error) => {
                engine.close().await;
                Err(error.into())
            }
        }
    }

    /// Returns where the API is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Returns the runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.app.runtime
    }

    /// Has the worker of this host read the routes of kinds again now.
    pub fn refresh(&self) {
        self.app.refresh();
    }

    /// Returns the database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the name of this host in leases.
    pub fn instance(&self) -> &str {
        &self.app.instance
    }

    /// Stops the host, giving running attempts `grace` to finish, or less if
    /// the process is asked to end at once.
    pub async fn stop(self, grace: Duration, shutdown: Option<&Shutdown>) {
        self.app.drain();
        if let Some(worker) = self.app.take_worker() {
            let running = worker.running();
            if running > 0 {
                info!(running, "waiting for running attempts");
            }
            worker.drain(grace, at_once(shutdown)).await;
        }
        self.app.close();
        self.app.runtime.close();
        let ending = async {
            let leaving = async {
                if let Some(presence) = self.presence {
                    presence.end().await;
                }
            };
            tokio::join!(
                leaving,
                self.reconcilers.stop(),
                self.server.stop(HTTP_GRACE)
            );
            self.app.engine.close().await;
        };
        within(END_GRACE, shutdown, "the end of the host", ending).await;
        let closing = self.database.close();
        within(
            grace.max(POSTGRES_GRACE),
            shutdown,
            "the host's Postgres",
            closing,
        )
        .await;
        info!("stopped");
    }
}

/// Checks what the types of the configuration cannot.
fn check(config: &Config) -> Result<(), StartError> {
    let wrong = |key, detail| Err(StartError::Config { key, detail });
    let ttl = config.worker.lease_ttl_ms;
    let bounds = model::Limits::LEASE_TTL_MS;
    if !bounds.contains(&ttl) {
        let detail = format!(
            "{ttl} is out of range: {} to {}",
            bounds.start(),
            bounds.end()
        );
        return wrong("worker.lease_ttl_ms", detail);
    }
    if let Some(invalid) = config
        .worker
        .lanes
        .iter()
        .find_map(|lane| model::lane_name(lane).err())
    {
        return wrong("worker.lanes", invalid.detail);
    }
    if config.worker.service_leases_max == 0 {
        return wrong("worker.service_leases_max", "must be above zero".to_owned());
    }
    if let Err((key, detail)) = config.runtime.check() {
        return wrong(key, detail);
    }
    if let Err(invalid) = config.retention.check() {
        return wrong(invalid.field, invalid.detail);
    }
    if config.worker.lanes.len() > model::Limits::WORKER_NAMES_MAX {
        let detail = format!("at most {} lanes", model::Limits::WORKER_NAMES_MAX);
        return wrong("worker.lanes", detail);
    }
    if let Some(Err(invalid)) = config
        .worker
        .instance_id
        .as_ref()
        .map(|name| model::worker_name("worker.instance_id", name))
    {
        return wrong(invalid.field, invalid.detail);
    }
    if let Err(invalid) = model::capabilities("worker.capabilities", &config.worker.capabilities) {
        return wrong(invalid.field, invalid.detail);
    }
    if config.database.partitions > model::PARTITIONS_MAX {
        let detail = format!("at most {}", model::PARTITIONS_MAX);
        return wrong("database.partitions", detail);
    }
    if let Err(detail) = config.http.check_public_url() {
        return wrong("http.public_url", detail);
    }
    if let Err(detail) = config.http.check_allowed_hosts() {
        return wrong("http.allowed_hosts", detail);
    }
    if let Err(detail) = config.http.check_allowed_origins() {
        return wrong("http.allowed_origins", detail);
    }
    if config.http.request_timeout_ms == 0 || config.http.head_timeout_ms == 0 {
        return wrong("http", "timeouts must be above zero".to_owned());
    }
    Ok(())
}

/// Runs a step of the end until it is done, its time is over, or the process was asked
/// to end at once.
async fn within(
    time: Duration,
    shutdown: Option<&Shutdown>,
    step: &str,
    work: impl Future<Output = ()>,
) {
    tokio::select! {
        () = work => {}
        () = tokio::time::sleep(time) => warn!(step, "not done in its time; it is left as it is"),
        () = at_once(shutdown) => warn!(step, "left as it is"),
    }
}

/// Runs what blocks where that is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        // It is never cancelled, so it panicked, and so does this.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_bounds_name_their_key() {
        let mut config = Config::default();
        assert!(check(&config).is_ok());
        config.worker.lease_ttl_ms = 1;
        let error = check(&config).expect_err("too short").to_string();
        assert!(error.starts_with("worker.lease_ttl_ms"), "{error}");
        let mut config = Config::default();
        config.runtime.loaded_bytes_max = config.runtime.compiled_bytes_max - 1;
        let error = check(&config).expect_err("no room for one").to_string();
        assert!(error.starts_with("runtime.loaded_bytes_max"), "{error}");
        let mut config = Config::default();
        config.retention.events_ms = 1;
        let error = check(&config).expect_err("too short").to_string();
        assert!(error.starts_with("retention.events_ms: 1"), "{error}");
    }
}
