//! A running host: everything it consists of, started in order and stopped in reverse.
//!
//! ```text
//! start: listen ─▶ Postgres ─▶ engine ─▶ runtime ─▶ HTTP ─▶ sweeps ─▶ worker ─▶ registry
//! stop:  not ready ─▶ worker drains ─▶ waiting requests, registry, sweeps, HTTP ─▶ engine ─▶ Postgres
//! ```
//!
//! The port is taken first, since a port in use is the cheapest thing to find
//! out. A database that goes away later stops nothing: requests are answered
//! 503 until it is back. Nor does it hold up the end: every step of it is bounded, and
//! skipped when the process is asked to end immediately.
//!
//! While the worker drains, HTTP serves as before but for what asks for work: requests
//! that wait for the end of an execution may still see it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use engine::{Engine, Reconcilers, SeededWaitpointKey, Sweeps};
use runtime::Runtime;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::presence::Presence;
use super::shutdown::{Shutdown, immediately};
use super::{Database, StartError};
use crate::config::Config;
use crate::http::{App, Opened, Server, router};
use crate::webhook::Deliveries;

/// Longest requests may take to finish once the worker has drained.
const HTTP_GRACE: Duration = Duration::from_secs(3);
/// Longest everything may take that ends after the worker, but for the host's own
/// Postgres.
const END_GRACE: Duration = Duration::from_secs(5);
/// Longest the host's own Postgres may take to stop, unless the grace is longer.
const POSTGRES_GRACE: Duration = Duration::from_secs(10);

/// A host that was started.
pub struct Host {
    app: App,
    address: SocketAddr,
    database: Database,
    reconcilers: Reconcilers,
    /// Absent on a host that delivers no webhooks.
    deliveries: Option<Deliveries>,
    server: Server,
    /// Absent on a host that only serves the API.
    presence: Option<Presence>,
}

impl Host {
    /// Starts a host. `compiler` is the binary whose `__compile` command turns
    /// components into machine code: this one, or what it was built with.
    ///
    /// # Errors
    /// The first part that does not start; what had started is stopped again.
    pub async fn start(config: &Config, compiler: PathBuf) -> Result<Self, StartError> {
        config.check()?;
        let opened = Opened::new(config)?;
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
            config,
            opened,
            address,
            instance.clone(),
        );
        let server = Server::start(listener, router(app.clone()), &app);
        if config.access.required {
            let (sessions, of) = (app.sessions.clone(), engine.clone());
            let keep = move || sessions.clone().keep(of.clone());
            drop(engine.tasks().spawn("sessions", keep));
        }
        if config.access.insecure_no_auth {
            warn!(
                %address,
                "INSECURE: anybody who reaches the API may do everything (access.insecure_no_auth)"
            );
        }
        let deliveries = Deliveries::start(
            &engine,
            app.egress.clone(),
            app.deliveries.clone(),
            &config.webhooks,
        );
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
            deliveries,
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
        // Only waitpoint tokens depend on secrets, so the host serves without.
        if let Err(error) = engine.check_secrets().await {
            warn!("waitpoint tokens are refused: {error}");
        }
        if let Some((kid, secret_hex)) = config.secrets.waitpoint_key()? {
            seed(&engine, kid, secret_hex).await;
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

    /// Returns the URL of the API.
    pub fn url(&self) -> String {
        let scheme = if self.app.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// Returns the engine of the host.
    pub fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Returns the runtime of the host.
    pub fn runtime(&self) -> &Runtime {
        &self.app.runtime
    }

    /// Has the worker of this host read the routes of kinds again now.
    pub fn refresh(&self) {
        self.app.refresh();
    }

    /// Returns the database of the host.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the name of this host in leases.
    pub fn instance(&self) -> &str {
        &self.app.instance
    }

    /// Stops the host, giving running attempts `grace` to finish, or less if
    /// the process is asked to end immediately.
    pub async fn stop(self, grace: Duration, shutdown: Option<&Shutdown>) {
        self.app.drain();
        if let Some(worker) = self.app.take_worker() {
            let running = worker.running();
            if running > 0 {
                info!(running, "waiting for running attempts");
            }
            worker.drain(grace, immediately(shutdown)).await;
        }
        self.app.close();
        self.app.runtime.close();
        let ending = async {
            let leaving = async {
                if let Some(presence) = self.presence {
                    presence.end().await;
                }
            };
            let delivering = async {
                if let Some(deliveries) = self.deliveries {
                    deliveries.end().await;
                }
            };
            tokio::join!(
                leaving,
                delivering,
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

/// Runs a step of the end until it is done, its time is over, or the process is asked to
/// end immediately.
async fn within(
    time: Duration,
    shutdown: Option<&Shutdown>,
    step: &str,
    work: impl Future<Output = ()>,
) {
    tokio::select! {
        () = work => {}
        () = tokio::time::sleep(time) => warn!(step, "not done in its time; it is left as it is"),
        () = immediately(shutdown) => warn!(step, "left as it is"),
    }
}

/// Creates the configured waitpoint key if no key signs yet. The host serves in any case:
/// only waitpoint tokens depend on it.
async fn seed(engine: &Engine, kid: &str, secret_hex: &str) {
    match engine
        .seed_waitpoint_key(kid, Some(secret_hex), "host")
        .await
    {
        Ok(SeededWaitpointKey::Seeded { kid }) => info!(kid, "the first waitpoint key was created"),
        Ok(SeededWaitpointKey::AlreadySeeded {
            same_secret: true, ..
        }) => {}
        Ok(SeededWaitpointKey::AlreadySeeded { kid, .. }) => {
            info!(kid, "another waitpoint key signs than that of the settings");
        }
        Err(error) => warn!(
            kid,
            "the waitpoint key of the settings was not created: {error}"
        ),
    }
}
