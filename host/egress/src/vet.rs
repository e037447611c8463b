//! From the addresses of a host to those that may be dialed.

use std::net::{IpAddr, SocketAddr};

use url::Host;

use crate::resolve::Resolve;
use crate::{Allow, Error, Network, Target};

/// Most addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 64;

/// Resolves the host of a target and returns the addresses that a request may reach, in
/// the order in which they are to be tried.
///
/// # Errors
/// The name cannot be resolved, has no address, or none that may be reached.
pub(crate) async fn addresses(
    target: &Target,
    resolver: &dyn Resolve,
    allow: &Allow,
) -> Result<Vec<SocketAddr>, Error> {
    let found: Vec<IpAddr> = match target.host() {
        Host::Ipv4(address) => vec![(*address).into()],
        Host::Ipv6(address) => vec![(*address).into()],
        Host::Domain(name) => {
            let found = resolver.resolve(name).await;
            found.map_err(|error| Error::unresolved(target, &error))?
        }
    };
    let mut permitted = Vec::new();
    let mut blocked = None;
    for ip in found.into_iter().take(ADDRESSES_MAX) {
        let address = SocketAddr::new(ip, target.port());
        match Network::of(ip) {
            Some(network) if !allow.permits(target.host(), address, network) => {
                blocked.get_or_insert(network);
            }
            _ if permitted.contains(&address) => {}
            _ => permitted.push(address),
        }
    }
    match blocked {
        _ if !permitted.is_empty() => Ok(permitted),
        Some(network) => Err(Error::BlockedAddress {
            host: target.host().to_string(),
            network,
        }),
        None => Err(Error::NoAddress {
            host: target.host().to_string(),
        }),
    }
}
