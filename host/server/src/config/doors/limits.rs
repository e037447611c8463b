//! Section `[doors]`: what one address and one credential may ask of a host.

use std::time::Duration;

use ipnet::IpNet;
use model::{Invalid, check_range};
use serde::{Deserialize, Serialize};

/// What one address and one credential may ask of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Doors {
    /// Most requests a second of one address, or of one /64 of IPv6; 0 is no limit.
    pub address_requests_per_second: u32,
    /// How many requests an address may send at once after a pause.
    pub address_burst: u32,
    /// Most requests a second with one credential, from all addresses; 0 is no limit.
    pub credential_requests_per_second: u32,
    /// How many requests may be sent with a credential at once after a pause.
    pub credential_burst: u32,
    /// How many failures of authentication an address may cause a minute; further ones
    /// are answered `rate_limited`. 0 is no limit.
    pub failures_per_minute: u32,
    /// Most connections of one address at once; further ones are closed. 0 is no limit.
    pub connections_per_address_max: u32,
    /// Whether addresses of this machine are limited as well.
    pub limit_loopback: bool,
    /// Networks of proxies that may say, in `X-Forwarded-For`, for which address they
    /// ask; others are not believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Most headers of a request, 8 to 1,024.
    pub headers_max: u32,
    /// Most bytes of the head of a request, 8,192 to 1,048,576.
    pub head_bytes_max: u32,
    /// Least bytes a second of a body, counted after `body_grace_ms`; a slower one is
    /// answered `request_timeout`. 0 is no limit.
    pub body_bytes_per_second_min: u32,
    /// How long a body may be slower, in milliseconds, at most 60,000.
    pub body_grace_ms: u32,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            address_requests_per_second: 2_000,
            address_burst: 4_000,
            credential_requests_per_second: 0,
            credential_burst: 4_000,
            failures_per_minute: 600,
            connections_per_address_max: 1_024,
            limit_loopback: false,
            trusted_proxies: Vec::new(),
            headers_max: 100,
            head_bytes_max: 64 << 10,
            body_bytes_per_second_min: 1_024,
            body_grace_ms: 5_000,
        }
    }
}

impl Doors {
    /// Checks every value against its bounds.
    pub(in crate::config) fn check(&self) -> Result<(), Invalid> {
        for (key, burst) in [
            ("doors.address_burst", self.address_burst),
            ("doors.credential_burst", self.credential_burst),
        ] {
            if burst == 0 {
                return Err(Invalid::new(key, "must be above zero"));
            }
        }
        check_range("doors.headers_max", self.headers_max, 8..=1_024)?;
        check_range("doors.head_bytes_max", self.head_bytes_max, 8_192..=1 << 20)?;
        check_range("doors.body_grace_ms", self.body_grace_ms, 0..=60_000)?;
        if self.trusted_proxies.iter().any(|it| it.prefix_len() == 0) {
            let detail = "a network of every address would believe every caller";
            return Err(Invalid::new("doors.trusted_proxies", detail));
        }
        Ok(())
    }

    /// Returns how long a body may be slower than the least rate.
    pub fn body_grace(&self) -> Duration {
        Duration::from_millis(self.body_grace_ms.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_bounds_name_their_key() {
        assert_eq!(Doors::default().check(), Ok(()));
        let wrong = |change: fn(&mut Doors)| {
            let mut doors = Doors::default();
            change(&mut doors);
            doors.check().expect_err("wrong").field
        };
        assert_eq!(wrong(|it| it.address_burst = 0), "doors.address_burst");
        assert_eq!(
            wrong(|it| it.credential_burst = 0),
            "doors.credential_burst"
        );
        assert_eq!(wrong(|it| it.headers_max = 1), "doors.headers_max");
        assert_eq!(wrong(|it| it.head_bytes_max = 1), "doors.head_bytes_max");
        assert_eq!(wrong(|it| it.body_grace_ms = 60_001), "doors.body_grace_ms");
        let everyone = wrong(|it| it.trusted_proxies = vec!["0.0.0.0/0".parse().expect("a net")]);
        assert_eq!(everyone, "doors.trusted_proxies");
    }
}
