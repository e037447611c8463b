//! What an operator allows beyond the internet.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use model::quoted;
use url::Host;

use crate::address::{Network, canonical};

/// Most rules of one list.
const RULES_MAX: usize = 256;

/// The destinations that requests may reach although they are not on the internet.
///
/// A rule is one of
/// - a network, `10.0.0.0/8`: its addresses, on every port;
/// - an address, `10.0.0.7` or `[fd00::7]:8443`: on every port, or on one;
/// - a name, `hooks.internal` or `hooks.internal:8443`: all addresses that this name
///   resolves to, on every port, or on one.
///
/// The address of a metadata service is allowed only by a rule that names that address:
/// neither a network around it nor a name that resolves to it is enough.
#[derive(Debug, Clone, Default)]
pub struct Allow(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    Name(String, Option<u16>),
}

/// A text that is not a valid list of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AllowError(String);

impl Allow {
    /// Reads rules.
    ///
    /// # Errors
    /// The first text that is not a valid rule; more than 256 rules.
    pub fn parse<T: AsRef<str>>(rules: &[T]) -> Result<Self, AllowError> {
        if rules.len() > RULES_MAX {
            return Err(AllowError(format!("at most {RULES_MAX} rules")));
        }
        let rules = rules.iter().map(|rule| rule.as_ref().parse());
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// Whether a request for `host` may be sent to `address`, which is in `network`.
    pub(crate) fn permits(
        &self,
        host: &Host<String>,
        address: SocketAddr,
        network: Network,
    ) -> bool {
        let ip = canonical(address.ip());
        let on = |port: &Option<u16>| port.is_none_or(|port| port == address.port());
        let named = |name: &str| matches!(host, Host::Domain(host) if normal(host) == name);
        self.0.iter().any(|rule| match rule {
            Rule::Address(allowed, port) => *allowed == ip && on(port),
            Rule::Network(_) | Rule::Name(..) if network == Network::Metadata => false,
            Rule::Network(allowed) => allowed.contains(&ip),
            Rule::Name(allowed, port) => named(allowed) && on(port),
        })
    }
}

impl FromStr for Rule {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let wrong = |what: &str| AllowError(format!("{} {what}", quoted(text)));
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(canonical(address), None));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            let (ip, port) = (canonical(address.ip()), port(address.port()));
            return Ok(Self::Address(ip, Some(port.map_err(wrong)?)));
        }
        if text.contains('/') {
            let network: IpNet = text.parse().map_err(|_| wrong(FORMS))?;
            if network != network.trunc() {
                let of = format!(
                    "names an address within a network: the network is {}",
                    network.trunc()
                );
                return Err(wrong(&of));
            }
            if network.prefix_len() == network.max_prefix_len() {
                return Ok(Self::Address(canonical(network.addr()), None));
            }
            return Ok(Self::Network(network));
        }
        let (name, on) = match text.rsplit_once(':') {
            None => (text, None),
            Some((name, on)) => {
                let on = on.parse().map_err(|_| wrong(FORMS))?;
                (name, Some(port(on).map_err(wrong)?))
            }
        };
        match Host::parse(name) {
            Ok(Host::Domain(name)) if !name.contains('*') => {
                Ok(Self::Name(normal(&name).to_owned(), on))
            }
            _ => Err(wrong(FORMS)),
        }
    }
}

const FORMS: &str = "is not a network (10.0.0.0/8), an address (10.0.0.7, [fd00::7]:8443) or a name (hooks.internal, hooks.internal:8443)";

fn port(port: u16) -> Result<u16, &'static str> {
    if port == 0 {
        return Err("names port 0: must be 1 to 65535");
    }
    Ok(port)
}

/// Returns a name without the dot that may end it. URLs hold names in lower case.
fn normal(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(rules: &[&str], host: &str, address: &str) -> bool {
        let address: SocketAddr = address.parse().expect(address);
        let network = Network::of(address.ip()).expect("not of the internet");
        let host = Host::parse(host).expect(host);
        let allow = Allow::parse(rules).expect("rules");
        allow.permits(&host, address, network)
    }

    #[test]
    fn a_rule_allows_what_it_names_and_nothing_beside_it() {
        for (rule, host, address, permitted) in [
            ("10.0.0.0/8", "a.test", "10.9.9.9:80", true),
            ("10.0.0.0/8", "10.9.9.9", "10.9.9.9:80", true),
            ("10.0.0.0/8", "a.test", "[::ffff:10.9.9.9]:80", true),
            ("10.0.0.0/8", "a.test", "[64:ff9b::a09:909]:80", true),
            ("10.0.0.0/8", "a.test", "192.168.0.1:80", false),
            ("fd00::/8", "a.test", "[fd00::1]:80", true),
            ("fd00::/8", "a.test", "[fe80::1]:80", false),
            ("10.0.0.7", "a.test", "10.0.0.7:1", true),
            ("10.0.0.7/32", "a.test", "10.0.0.7:1", true),
            ("10.0.0.7", "a.test", "10.0.0.8:1", false),
            ("10.0.0.7:8443", "a.test", "10.0.0.7:8443", true),
            ("10.0.0.7:8443", "a.test", "10.0.0.7:8444", false),
            ("[fd00::7]:8443", "a.test", "[fd00::7]:8443", true),
            ("[fd00::7]:8443", "a.test", "[fd00::7]:80", false),
            ("hooks.internal", "hooks.internal", "10.0.0.7:80", true),
            ("Hooks.Internal", "hooks.internal.", "10.0.0.7:80", true),
            ("hooks.internal", "a.hooks.internal", "10.0.0.7:80", false),
            (
                "hooks.internal:8443",
                "hooks.internal",
                "127.0.0.1:8443",
                true,
            ),
            (
                "hooks.internal:8443",
                "hooks.internal",
                "127.0.0.1:80",
                false,
            ),
        ] {
            assert_eq!(
                permits(&[rule], host, address),
                permitted,
                "{rule} {host} {address}"
            );
        }
        assert!(!permits(&[], "a.test", "10.0.0.1:80"));
    }

    #[test]
    fn metadata_is_allowed_only_by_its_own_address() {
        for (service, around) in [
            ("169.254.169.254", "169.254.0.0/16"),
            ("100.100.100.200", "100.64.0.0/10"),
            ("[fd00:ec2::254]", "fd00::/8"),
        ] {
            let address = format!("{service}:80");
            let all = [around, "0.0.0.0/0", "::/0", "metadata.internal"];
            assert!(!permits(&all, "metadata.internal", &address), "{service}");
            assert!(!permits(&all, service, &address), "{service}");
            let exact = service.trim_matches(['[', ']']);
            assert!(
                permits(&[exact], "metadata.internal", &address),
                "{service}"
            );
            assert!(permits(&[&address], service, &address), "{service}");
        }
        assert!(permits(
            &["169.254.169.254/32"],
            "m.test",
            "[::ffff:169.254.169.254]:80"
        ));
    }

    #[test]
    fn a_wrong_rule_is_quoted_with_what_would_be_right() {
        for (rule, said) in [
            ("", "is not a network"),
            ("10.0.0.0/33", "is not a network"),
            ("10.0.0.1/8", "the network is 10.0.0.0/8"),
            ("10.0.0.1:0", "port 0"),
            ("hooks.internal:0", "port 0"),
            ("hooks.internal:x", "is not a network"),
            ("hooks.internal:65536", "is not a network"),
            ("*.internal", "is not a network"),
            ("https://hooks.internal", "is not a network"),
            ("hooks internal", "is not a network"),
        ] {
            let error = Allow::parse(&[rule]).expect_err(rule).to_string();
            assert!(error.starts_with(&format!("`{rule}` ")), "{error}");
            assert!(error.contains(said), "{error}");
        }
        let many = vec!["10.0.0.1"; RULES_MAX + 1];
        assert!(Allow::parse(&many).is_err());
        assert!(Allow::parse(&many[1..]).is_ok());
    }
}
