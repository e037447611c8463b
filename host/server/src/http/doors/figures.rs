//! What the doors counted since the start, for metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Doors;

impl Doors {
    /// Registers the figures of the doors, none of which names a caller or a credential.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let refused = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for (limit, count) in self.limits.refusals() {
            refused.get_or_create(&[("limit", limit)]).inc_by(count);
        }
        registry.register(
            "door_refusals",
            "Requests and connections that a limit at the door refused",
            refused,
        );
        let failures = Counter::<u64>::default();
        failures.inc_by(self.limits.failures());
        registry.register(
            "authentication_failures",
            "Requests whose credential was refused",
            failures,
        );
        let Some(oidc) = &self.oidc else { return };
        let fetches = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for (outcome, count) in oidc.fetches() {
            fetches.get_or_create(&[("outcome", outcome)]).inc_by(count);
        }
        registry.register(
            "oidc_key_fetches",
            "Times that the keys of the issuer were asked for",
            fetches,
        );
        if let Some(age) = oidc.keys_age() {
            registry.register(
                "oidc_keys_age_seconds",
                "Age of the keys of the issuer",
                ConstGauge::new(age.as_secs_f64()),
            );
        }
    }
}
