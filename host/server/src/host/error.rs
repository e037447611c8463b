//! Why a host did not start.

use std::net::SocketAddr;

use model::Invalid;

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// Address that was configured.
        address: SocketAddr,
        /// Why the system refused it.
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
    /// A value of the configuration is out of bounds, or what it names cannot be read.
    #[error(transparent)]
    Config(#[from] Invalid),
}
