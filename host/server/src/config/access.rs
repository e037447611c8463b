//! Section `[access]`: whether callers of the API need a credential.

use std::net::SocketAddr;

use model::Invalid;
use serde::{Deserialize, Serialize};

/// Whether callers of the API need a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Whether a request needs a credential: an API key, or another kind that is
    /// configured. Without, anybody who reaches the API may do everything.
    pub required: bool,
    /// Lets a host listen beyond this machine although anybody may do everything there.
    pub insecure_no_auth: bool,
}

impl Access {
    /// Checks that a host does not offer everything to anybody beyond this machine.
    ///
    /// # Errors
    /// It would, and was not told to.
    pub fn check(&self, listen: SocketAddr) -> Result<(), Invalid> {
        if self.required && self.insecure_no_auth {
            let detail = "contradicts access.required: set one of them";
            return Err(Invalid::new("access.insecure_no_auth", detail));
        }
        if self.required || self.insecure_no_auth || listen.ip().is_loopback() {
            return Ok(());
        }
        Err(Invalid::new(
            "access.required",
            format!(
                "the API would listen at {listen}, beyond this machine, and let anybody do everything: set access.required = true (--require-credentials) and make the first key with `flowhost token bootstrap`; or listen on 127.0.0.1; or, where something in front checks who asks, set access.insecure_no_auth = true (--insecure-no-auth)"
            ),
        ))
    }

    /// Returns whether anybody beyond this machine may do everything.
    pub fn is_open(&self, listen: SocketAddr) -> bool {
        !self.required && !listen.ip().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listen: &str, required: bool, insecure_no_auth: bool) -> Option<&'static str> {
        let access = Access {
            required,
            insecure_no_auth,
        };
        let checked = access.check(listen.parse().expect("an address"));
        checked.err().map(|invalid| invalid.field)
    }

    #[test]
    fn a_host_listens_beyond_this_machine_only_with_credentials_or_when_told_to() {
        for here in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1"] {
            assert_eq!(refused(here, false, false), None, "{here}");
        }
        for beyond in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1"] {
            assert_eq!(refused(beyond, false, false), Some("access.required"));
            assert_eq!(refused(beyond, true, false), None);
            assert_eq!(refused(beyond, false, true), None);
        }
        let both = refused("127.0.0.1:1", true, true);
        assert_eq!(both, Some("access.insecure_no_auth"));
    }
}
