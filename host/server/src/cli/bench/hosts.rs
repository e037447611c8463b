//! Hosts beside the one of the benchmark and on its database. None runs executions.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::measure::failed;
use crate::Host;
use crate::cli::io::{Failure, this_binary};
use crate::config::{self, Config};

/// How much one credential may ask, so that requests are counted and none is refused.
const PER_CREDENTIAL: u32 = 1_000_000;

/// What a host requires of its callers.
#[derive(Debug, Clone, Copy)]
pub enum Requires {
    /// Nothing.
    Nothing,
    /// A credential; clients on this machine are not limited.
    Credentials,
    /// A credential, with the limits of failures that addresses of others have.
    CredentialsOfOthers,
}

/// Starts a host on the database of `of`.
pub async fn start(of: &Host, config: &Config, requires: Requires) -> Result<Host, Failure> {
    let mut config = config.clone();
    let key_file = of
        .database()
        .embedded()
        .map(|(_, dir)| dir.join("secrets.key"));
    config.database.url = Some(of.database().url().to_owned());
    config.database.data_dir = None;
    config.secrets.key_file = config
        .secrets
        .key_file
        .or(key_file.filter(|it| it.exists()));
    config.http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.tls = config::Tls::default();
    config.oidc = config::Oidc::default();
    config.worker.slots = 0;
    config.worker.instance_id = None;
    config.access = config::Access {
        required: !matches!(requires, Requires::Nothing),
        insecure_no_auth: false,
    };
    config.doors = config::Doors {
        // The measured clients send all from few addresses.
        address_requests_per_second: 0,
        connections_per_address_max: 0,
        credential_requests_per_second: PER_CREDENTIAL,
        credential_burst: PER_CREDENTIAL,
        limit_loopback: matches!(requires, Requires::CredentialsOfOthers),
        ..config::Doors::default()
    };
    let (binary, runtime) = (this_binary()?, Handle::current());
    // Its future cannot be proven to be `Send` in a task like this.
    let starting =
        spawn_blocking(move || runtime.block_on(async { Host::start(&config, binary).await }));
    Ok(starting.await.map_err(failed)??)
}

/// Returns the address of a host.
pub fn address(host: &Host) -> Result<SocketAddr, Failure> {
    let url = host.url();
    url.trim_start_matches("http://").parse().map_err(failed)
}

/// Stops hosts.
pub async fn stop(hosts: Vec<Host>) {
    for host in hosts {
        host.stop(Duration::from_secs(5), None).await;
    }
}
