//! The sections of a configuration.

use serde::{Deserialize, Serialize};

use super::{
    Access, Database, Doors, Egress, Http, Oidc, Runtime, Secrets, Telemetry, Tls, Webhooks, Worker,
};

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
    /// Who may use it.
    pub access: Access,
    /// TLS of the API, and certificates of clients.
    pub tls: Tls,
    /// Tokens of an OpenID Connect issuer.
    pub oidc: Oidc,
    /// What one address and one credential may ask.
    pub doors: Doors,
    /// Requests that leave the instance.
    pub egress: Egress,
    /// How this host delivers webhooks.
    pub webhooks: Webhooks,
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
