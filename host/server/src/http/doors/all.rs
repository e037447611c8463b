//! The doors of a host, as its settings have them.

use model::Invalid;

use super::oidc::Verifier;
use super::{Certificates, Limits};
use crate::config::{self, Config};

/// The doors of a host.
#[derive(Debug)]
pub struct Doors {
    /// The section `[doors]` of the configuration.
    pub settings: config::Doors,
    /// The section `[oidc]` of the configuration.
    pub oidc_settings: config::Oidc,
    /// How much one address and one credential may ask.
    pub limits: Limits,
    /// What verified certificates of clients are good for.
    pub certificates: Certificates,
    /// What verifies tokens; absent without an issuer.
    pub oidc: Option<Verifier>,
}

impl Doors {
    /// Opens the doors as the settings say.
    ///
    /// # Errors
    /// The setting that is wrong.
    pub fn new(config: &Config) -> Result<Self, Invalid> {
        Ok(Self {
            settings: config.doors.clone(),
            oidc_settings: config.oidc.clone(),
            limits: Limits::new(&config.doors),
            certificates: Certificates::new(&config.tls.clients),
            oidc: Verifier::new(&config.oidc)?,
        })
    }
}
