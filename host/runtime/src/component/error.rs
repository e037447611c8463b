//! Faults of the runtime.

/// Why the runtime could not start, or could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wasmtime could not be set up.
    #[error("the sandbox could not be set up: {0:#}")]
    Sandbox(wasmtime::Error),
    /// The threads for guests could not be started.
    #[error("threads for guests could not be started: {0}")]
    Threads(std::io::Error),
    /// The compiler could not be run, or something else of this host.
    #[error("{0}")]
    Unavailable(String),
    /// No more components are published at once.
    #[error(
        "{components} components are being published, which is all this host takes on; ask again when some are done"
    )]
    Busy {
        /// Components being published now.
        components: usize,
    },
    /// A call of the engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}
