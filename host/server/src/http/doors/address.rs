//! The address that a request comes from: the peer's, or what a trusted proxy says of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Header in which proxies name the addresses that a request passed, the last one last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Most addresses of it that are read, from its end.
const HOPS_MAX: usize = 16;

/// The address that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Returns the address of a request that `peer` sends. What it says of others counts
    /// only if `peer` is a trusted proxy, and then up to the first address that is none:
    /// everything before that may be invented.
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut address = peer.to_canonical();
        let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
        if !is_trusted(&address) {
            return Self(address);
        }
        let values = headers.get_all(FORWARDED_FOR).iter();
        let values: Vec<&str> = values.map(|it| it.to_str().unwrap_or("?")).collect();
        let hops = values.iter().rev().flat_map(|it| it.rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            let Some(said) = parsed(hop.trim()) else {
                break;
            };
            address = said;
            if !is_trusted(&address) {
                break;
            }
        }
        Self(address)
    }

    /// Returns what is counted together: an address of IPv4, or a network of IPv6 that one
    /// client usually has to itself.
    pub fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address => address,
        }
    }
}

/// Reads an address, perhaps with a port.
fn parsed(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    Some(address?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, said: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(FORWARDED_FOR, value.parse().expect("a value"));
        }
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|it| it.parse().expect("a net"))
            .collect();
        let peer = peer.parse().expect("an address");
        ClientAddress::of(peer, &headers, &trusted).0.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_for_whom_it_asks() {
        let proxies = ["10.0.0.0/8", "::1/128"];
        assert_eq!(
            of("198.51.100.1", &["203.0.113.9"], &proxies),
            "198.51.100.1"
        );
        assert_eq!(of("10.0.0.1", &["203.0.113.9"], &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9"], &proxies), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &[], &proxies), "10.0.0.1");
        // The client invented the first, the proxy added the second.
        assert_eq!(
            of("10.0.0.1", &["1.1.1.1, 203.0.113.9"], &proxies),
            "203.0.113.9"
        );
        assert_eq!(
            of("10.0.0.1", &["1.1.1.1", "203.0.113.9"], &proxies),
            "203.0.113.9"
        );
        // A chain of trusted proxies.
        assert_eq!(
            of("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], &proxies),
            "203.0.113.9"
        );
        assert_eq!(of("::1", &["203.0.113.9:4711"], &proxies), "203.0.113.9");
        assert_eq!(of("::1", &["[2001:db8::1]:443"], &proxies), "2001:db8::1");
        assert_eq!(
            of("::ffff:10.0.0.1", &["203.0.113.9"], &proxies),
            "203.0.113.9"
        );
    }

    #[test]
    fn what_cannot_be_read_ends_what_is_believed() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(
            of("10.0.0.1", &["203.0.113.9, unknown"], &proxies),
            "10.0.0.1"
        );
        assert_eq!(
            of("10.0.0.1", &["203.0.113.9, x, 10.0.0.2"], &proxies),
            "10.0.0.2"
        );
        assert_eq!(of("10.0.0.1", &[""], &proxies), "10.0.0.1");
        let long = vec!["10.0.0.3"; 1000].join(", ");
        assert_eq!(
            of("10.0.0.1", &[&format!("9.9.9.9, {long}")], &proxies),
            "10.0.0.3"
        );
    }

    #[test]
    fn a_network_of_ipv6_is_counted_as_one() {
        let network = |text: &str| ClientAddress(text.parse().expect("an address")).network();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
