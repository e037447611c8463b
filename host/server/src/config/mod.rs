//! The configuration: one struct per section, each with its units and defaults.
//!
//! A value comes from the first of: a flag, the environment
//! (`FLOWHOST_<SECTION>_<KEY>`), the file, the default. A key nobody knows is an
//! error, wherever it stands.

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

/// Everything an operator may decide.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where truth is kept.
    pub database: Database,
    /// What encrypts secrets in it.
    pub secrets: Secrets,
    /// The API.
    pub http: Http,
    /// What this host runs itself.
    pub worker: Worker,
    /// How guests are compiled and held.
    pub runtime: Runtime,
    /// What one attempt of a guest may use.
    pub sandbox: ::runtime::SandboxLimits,
    /// Sizes of what is stored.
    pub limits: model::Limits,
    /// How long what has ended is kept.
    pub retention: model::Retention,
    /// Logs.
    pub telemetry: Telemetry,
}
