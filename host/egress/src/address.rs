//! Which network an address belongs to.
//!
//! From the special-purpose address registries of IANA (RFC 6890 and its updates). An
//! IPv6 address that carries an IPv4 address is judged by that one, since a gateway or
//! the kernel sends the packets there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network that a request may not reach unless it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// This machine: 127.0.0.0/8, `::1`.
    Loopback,
    /// No particular address, which reaches this machine: 0.0.0.0/8, `::`.
    Unspecified,
    /// Networks of organizations: RFC 1918, `fc00::/7`, `fec0::/10`, `64:ff9b:1::/48`.
    Private,
    /// Between a carrier and its customers: 100.64.0.0/10.
    CarrierShared,
    /// The link a machine is on: 169.254.0.0/16, `fe80::/10`.
    LinkLocal,
    /// The metadata service of a cloud, which answers with credentials.
    Metadata,
    /// 224.0.0.0/4, `ff00::/8`.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// Examples in documents: 192.0.2.0/24, `2001:db8::/32` and others.
    Documentation,
    /// Measurements of devices: 198.18.0.0/15, `2001:2::/48`.
    Benchmark,
    /// Everything else that is not assigned for use on the internet.
    Reserved,
}

impl Network {
    /// Returns the network of an address; `None` for an address of the internet.
    pub fn of(address: IpAddr) -> Option<Self> {
        match canonical(address) {
            address if is_metadata(address) => Some(Self::Metadata),
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        Some(match address.octets() {
            [0, ..] => Self::Unspecified,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Private,
            [100, 64..=127, ..] => Self::CarrierShared,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Documentation,
            [198, 18..=19, ..] => Self::Benchmark,
            [224..=239, ..] => Self::Multicast,
            [255, 255, 255, 255] => Self::Broadcast,
            // Protocol assignments, anycast of relays of 6to4, and class E.
            [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => Self::Reserved,
            _ => return None,
        })
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        Some(match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Unspecified,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Self::Private,
            // Translation to IPv4 within one network, which may be a private one.
            [0x64, 0xff9b, 1, ..] => Self::Private,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xff00..=0xffff, ..] => Self::Multicast,
            [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Self::Documentation,
            [0x2001, 2, 0, ..] => Self::Benchmark,
            // Protocol assignments, with Teredo, which leads to IPv4 addresses.
            [0x2001, 0..=0x1ff, ..] => Self::Reserved,
            [0x2000..=0x3fff, ..] => return None,
            _ => Self::Reserved,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::Unspecified => "the unspecified address",
            Self::Private => "a private address",
            Self::CarrierShared => "an address shared by a carrier's customers",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a metadata service",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address for documentation",
            Self::Benchmark => "an address for benchmarks",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Returns the IPv4 address that an IPv6 address carries, and other addresses as they are.
///
/// IPv4-mapped `::ffff:0:0/96`, IPv4-compatible `::/96`, IPv4-translated
/// `::ffff:0:0:0/96`, NAT64 `64:ff9b::/96` and 6to4 `2002::/16`.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

/// Whether an address is that of a metadata service.
///
/// Some are on the link, as most clouds have them; others look private or even public.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(
            address.octets(),
            // Most clouds.
            [169, 254, 169, 254]
                // Credentials of tasks and pods on AWS.
                | [169, 254, 170, 2 | 23]
                // Alibaba, Oracle, Azure's host.
                | [100, 100, 100, 200]
                | [192, 0, 0, 192]
                | [168, 63, 129, 16]
        ),
        IpAddr::V6(address) => matches!(
            address.segments(),
            // AWS: metadata, credentials of pods.
            [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23]
                // Google, Scaleway.
                | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
                | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Option<Network> {
        Network::of(address.parse().expect(address))
    }

    #[test]
    fn every_special_network_is_known_from_its_first_to_its_last_address() {
        for (network, addresses) in [
            (
                Network::Loopback,
                &["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"][..],
            ),
            (Network::Unspecified, &["0.0.0.0", "0.255.255.255", "::"]),
            (
                Network::Private,
                &[
                    "10.0.0.0",
                    "10.255.255.255",
                    "172.16.0.0",
                    "172.31.255.255",
                    "192.168.0.0",
                    "192.168.255.255",
                    "fc00::",
                    "fdff::1",
                    "fec0::1",
                    "feff::1",
                    "64:ff9b:1::1",
                ],
            ),
            (Network::CarrierShared, &["100.64.0.0", "100.127.255.255"]),
            (
                Network::LinkLocal,
                &["169.254.0.0", "169.254.255.255", "fe80::1", "febf::1"],
            ),
            (
                Network::Metadata,
                &[
                    "169.254.169.254",
                    "169.254.170.2",
                    "169.254.170.23",
                    "100.100.100.200",
                    "192.0.0.192",
                    "168.63.129.16",
                    "fd00:ec2::254",
                    "fd00:ec2::23",
                    "fd20:ce::254",
                    "fd00:42::42",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::1",
                    "::169.254.169.254",
                ],
            ),
            (
                Network::Multicast,
                &["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1"],
            ),
            (Network::Broadcast, &["255.255.255.255"]),
            (
                Network::Documentation,
                &[
                    "192.0.2.0",
                    "192.0.2.255",
                    "198.51.100.7",
                    "203.0.113.7",
                    "2001:db8::1",
                    "2001:db8:ffff::",
                    "3fff::1",
                    "3fff:fff::1",
                ],
            ),
            (
                Network::Benchmark,
                &["198.18.0.0", "198.19.255.255", "2001:2::1"],
            ),
            (
                Network::Reserved,
                &[
                    "192.0.0.1",
                    "192.88.99.1",
                    "240.0.0.0",
                    "255.255.255.254",
                    "2001::1",
                    "2001:1ff::1",
                    "100::1",
                    "200::1",
                    "4000::1",
                    "5f00::1",
                    "fe00::1",
                    "64:ff9b:0:1::1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(of(address), Some(network), "{address}");
            }
        }
    }

    #[test]
    fn neighbors_of_special_networks_are_the_internet() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.101.0",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2606:4700::1",
            "2a00::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert_eq!(of(address), None, "{address}");
        }
    }

    #[test]
    fn an_address_that_carries_another_is_judged_by_it() {
        for (carried, network) in [
            ("127.0.0.1", Some(Network::Loopback)),
            ("10.1.2.3", Some(Network::Private)),
            ("100.64.0.1", Some(Network::CarrierShared)),
            ("169.254.0.1", Some(Network::LinkLocal)),
            ("224.0.0.1", Some(Network::Multicast)),
            ("255.255.255.255", Some(Network::Broadcast)),
            ("8.8.8.8", None),
        ] {
            let [a, b, c, d] = carried.parse::<Ipv4Addr>().expect(carried).octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for address in [
                format!("::ffff:{carried}"),
                format!("::{carried}"),
                format!("::ffff:0:{carried}"),
                format!("64:ff9b::{carried}"),
                format!("2002:{high:x}:{low:x}::1"),
            ] {
                assert_eq!(of(&address), network, "{address}");
            }
        }
    }
}
