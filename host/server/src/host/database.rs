//! The database of a host, and the cluster it is in if that is the host's own.

use std::path::Path;

use engine::{Engine, SecretsKeys};
use tracing::{info, warn};

use super::StartError;
use crate::config::Config;

/// Name of the database in the host's own cluster.
const DATABASE: &str = "flowhost";

/// A database that is in use, and the cluster it is in if that is the host's own.
#[derive(Debug)]
pub struct Database {
    /// URL of the database; as secret as its password, if it has one.
    pub url: String,
    secrets: Option<SecretsKeys>,
    cluster: Option<pgserver::Cluster>,
}

impl Database {
    /// Opens the configured database, or starts the host's own if none is configured.
    ///
    /// # Errors
    /// The host's own did not start, or the key that encrypts secrets cannot be
    /// read.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        if let Some(url) = &config.database.url {
            return Ok(Self {
                url: url.clone(),
                secrets: config.secrets.keys(None)?,
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
                Err(error.into())
            }
        }
    }

    /// Returns the URL of the database; as secret as its password, if it has one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns version and data directory of the host's own cluster.
    pub fn embedded(&self) -> Option<(&str, &Path)> {
        let cluster = self.cluster.as_ref()?;
        Some((cluster.version(), cluster.data_dir()))
    }

    /// Connects the engine to the database.
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

/// Runs work that blocks on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        // It is never cancelled, so it panicked, and so does this.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
