//! Checks what the types of the configuration cannot.

use model::{Invalid, Limits, check_range, ensure};

use super::{Config, Database, Worker};

impl Config {
    /// Checks every value against its bounds.
    ///
    /// # Errors
    /// The first key that is wrong, and what is wrong with it.
    pub fn check(&self) -> Result<(), Invalid> {
        self.worker.check()?;
        self.runtime.check()?;
        self.retention.check()?;
        self.database.check()?;
        self.secrets.waitpoint_key()?;
        self.http.check()?;
        self.access.check(self.http.listen)?;
        self.tls.check()?;
        self.egress.check()?;
        self.webhooks.check()?;
        self.oidc.check()?;
        self.check_credentials()?;
        self.doors.check()
    }

    /// Checks that what verifies credentials is asked to.
    fn check_credentials(&self) -> Result<(), Invalid> {
        for (key, is_set) in [
            ("oidc.issuer", self.oidc.issuer.is_some()),
            ("tls.client_ca", self.tls.client_ca.is_some()),
        ] {
            ensure(
                key,
                self.access.required || !is_set,
                || "is of use only where credentials are required: set access.required = true (--require-credentials)",
            )?;
        }
        Ok(())
    }
}

impl Worker {
    fn check(&self) -> Result<(), Invalid> {
        let ttl = self.lease_ttl_ms;
        check_range("worker.lease_ttl_ms", ttl, Limits::LEASE_TTL_MS)?;
        for lane in &self.lanes {
            model::lane_name(lane).map_err(|invalid| invalid.about("worker.lanes"))?;
        }
        let max = Limits::WORKER_NAMES_MAX;
        ensure("worker.lanes", self.lanes.len() <= max, || {
            format!("at most {max} lanes")
        })?;
        above_zero("worker.service_leases_max", self.service_leases_max.into())?;
        if let Some(name) = &self.instance_id {
            model::worker_name("worker.instance_id", name)?;
        }
        model::capabilities("worker.capabilities", &self.capabilities)
    }
}

impl Database {
    fn check(&self) -> Result<(), Invalid> {
        let ok = self.partitions <= model::PARTITIONS_MAX;
        ensure("database.partitions", ok, || {
            format!("at most {}", model::PARTITIONS_MAX)
        })
    }
}

/// Checks a number that must not be 0.
pub(super) fn above_zero(key: &'static str, value: u64) -> Result<(), Invalid> {
    ensure(key, value > 0, || "must be above zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_bounds_name_their_key() {
        let wrong = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().expect_err("out of bounds").to_string()
        };
        assert!(Config::default().check().is_ok());
        let error = wrong(|config| config.worker.lease_ttl_ms = 1);
        assert!(error.starts_with("worker.lease_ttl_ms"), "{error}");
        let error = wrong(|config| {
            config.runtime.loaded_bytes_max = config.runtime.compiled_bytes_max - 1;
        });
        assert!(error.starts_with("runtime.loaded_bytes_max"), "{error}");
        let error = wrong(|config| {
            config.oidc.issuer = Some("https://id.example.com".to_owned());
            config.oidc.audience = Some("https://flow.example.com".to_owned());
        });
        assert!(error.starts_with("oidc.issuer: is of use only"), "{error}");
        let error = wrong(|config| config.retention.events_ms = 1);
        assert!(error.starts_with("retention.events_ms: 1"), "{error}");
    }
}
