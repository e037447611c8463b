//! Names under which a host is addressed: hosts, origins, and the path of callback URLs.

use axum::http::Uri;

/// The beginning of the path of callback URLs; a token follows.
pub const CALLBACKS: &str = "/v1/callbacks/";

/// Returns the host of an authority, in lower case, without port, brackets and the
/// dot that a full name may end with.
pub fn host_of(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.to_ascii_lowercase()
}

/// Whether the host of a URL is this machine, under any name for it.
pub fn is_loopback(host: &str) -> bool {
    let host = host_of(host);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|it| it.to_canonical().is_loopback())
}

/// Returns scheme, host and port of a URL in one spelling; `None` if it has no origin,
/// such as the `null` that some pages send.
pub fn origin_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = match (scheme.as_str(), uri.port_u16()) {
        ("http", port) => port.unwrap_or(80),
        ("https", port) => port.unwrap_or(443),
        _ => return None,
    };
    Some(format!("{scheme}://{}:{port}", host_of(uri.host()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_on_loopback_bypass_proxies() {
        for here in [
            "localhost",
            "127.0.0.1",
            "127.1.2.3",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["example.com", "10.0.0.1", "localhost.example.com", "[::2]"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
