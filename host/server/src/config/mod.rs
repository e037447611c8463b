//! The configuration: one struct per section, each with its units and defaults.
//!
//! A value comes from the first of: a flag, the environment
//! (`FLOWHOST_<SECTION>_<KEY>`), the file, the default. An unknown key is an error
//! in every source.

mod check;
mod database;
mod http;
mod load;
mod runtime;
mod secrets;
mod telemetry;
mod worker;

use serde::{Deserialize, Serialize};

pub use database::Database;
pub use http::Http;
pub use load::{ConfigError, Loaded, Origin, Sources};
pub use runtime::Runtime;
pub use secrets::Secrets;
pub use telemetry::Telemetry;
pub use worker::Worker;

/// Everything that an operator may configure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The database of the instance.
    pub database: Database,
    /// Keys that encrypt secrets in the database.
    pub secrets: Secrets,
    /// The HTTP API of the host.
    pub http: Http,
    /// The attempts and services this host runs.
    pub worker: Worker,
    /// How components are compiled and kept in memory.
    pub runtime: Runtime,
    /// What one sandbox may use.
    pub sandbox: ::runtime::SandboxLimits,
    /// Largest sizes of what is stored.
    pub limits: model::Limits,
    /// How long ended executions and events are kept.
    pub retention: model::Retention,
    /// What is logged, and how.
    pub telemetry: Telemetry,
}
