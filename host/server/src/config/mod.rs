//! The configuration: one struct per section, each with its units and defaults.
//!
//! A value comes from the first of: a flag, the environment
//! (`FLOWHOST_<SECTION>_<KEY>`), the file, the default. An unknown key is an error
//! in every source.

mod access;
mod check;
mod database;
mod doors;
mod egress;
mod http;
mod load;
mod runtime;
mod secrets;
mod sections;
mod telemetry;
mod webhooks;
mod worker;

pub use access::Access;
pub use database::Database;
pub use doors::{
    Doors, Grant, Oidc, Rule, Tls, TlsVersion, TokenAlgorithm, is_trustworthy, recorded,
};
pub use egress::Egress;
pub use http::Http;
pub use load::{ConfigError, Loaded, Origin, Sources};
pub use runtime::Runtime;
pub use secrets::Secrets;
pub use sections::Config;
pub use telemetry::Telemetry;
pub use webhooks::Webhooks;
pub use worker::Worker;
