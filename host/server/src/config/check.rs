//! Checks what the types of the configuration cannot.

use model::{Invalid, Limits};

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
        self.access.check(self.http.listen)
    }
}

impl Worker {
    fn check(&self) -> Result<(), Invalid> {
        let (ttl, bounds) = (self.lease_ttl_ms, Limits::LEASE_TTL_MS);
        if !bounds.contains(&ttl) {
            let (min, max) = (bounds.start(), bounds.end());
            let detail = format!("{ttl} is out of range: {min} to {max}");
            return Err(Invalid::new("worker.lease_ttl_ms", detail));
        }
        for lane in &self.lanes {
            model::lane_name(lane).map_err(|invalid| invalid.about("worker.lanes"))?;
        }
        if self.lanes.len() > Limits::WORKER_NAMES_MAX {
            let detail = format!("at most {} lanes", Limits::WORKER_NAMES_MAX);
            return Err(Invalid::new("worker.lanes", detail));
        }
        if self.service_leases_max == 0 {
            let key = "worker.service_leases_max";
            return Err(Invalid::new(key, "must be above zero"));
        }
        if let Some(name) = &self.instance_id {
            model::worker_name("worker.instance_id", name)?;
        }
        model::capabilities("worker.capabilities", &self.capabilities)
    }
}

impl Database {
    fn check(&self) -> Result<(), Invalid> {
        if self.partitions > model::PARTITIONS_MAX {
            let detail = format!("at most {}", model::PARTITIONS_MAX);
            return Err(Invalid::new("database.partitions", detail));
        }
        Ok(())
    }
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
        let error = wrong(|config| config.retention.events_ms = 1);
        assert!(error.starts_with("retention.events_ms: 1"), "{error}");
    }
}
