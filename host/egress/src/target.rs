//! Where a request is sent: a URL within bounds.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use url::{Host, Position, Url};

/// Most bytes of a URL.
pub const URL_BYTES_MAX: usize = 2048;
/// Most bytes of a name that DNS can hold, with the dot that may end it.
const NAME_BYTES_MAX: usize = 254;

/// Where a request is sent: scheme, host, port, path and query.
///
/// `Debug` and `Display` show the origin only, since a path or a query may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
    path: Uri,
}

/// Why a text is not a URL that requests may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has too many bytes.
    #[error("must have at most {URL_BYTES_MAX} bytes")]
    TooLong,
    /// It is not a URL at all.
    #[error("must be a URL such as https://example.com/hooks")]
    NotUrl,
    /// It has another scheme.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// It has a user name or a password.
    #[error("must not have a user name or a password")]
    User,
    /// It has a fragment, which is never sent.
    #[error("must not have a fragment (`#…`)")]
    Fragment,
    /// It has port 0.
    #[error("must not have port 0")]
    Port,
    /// Its name is longer than DNS can hold.
    #[error("must have a host name of at most 253 bytes")]
    Name,
}

impl Target {
    /// Whether the request is sent over TLS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns scheme, host and port, without a port that the scheme implies.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Returns the whole URL, in its normal form.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn host(&self) -> &Host<String> {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of the header `host`.
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Returns path and query, as the first line of a request has them.
    pub(crate) fn path(&self) -> &Uri {
        &self.path
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        // A parser of URLs ignores these; two readers of one URL should read the same.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) || text.contains('\\') {
            return Err(TargetError::NotUrl);
        }
        let url = Url::parse(text).map_err(|_| TargetError::NotUrl)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(TargetError::Scheme);
        }
        // Without the slashes a parser reads another host than people do.
        let rest = text.split_once(':').map_or("", |(_, rest)| rest);
        if !rest.starts_with("//") || rest.starts_with("///") {
            return Err(TargetError::NotUrl);
        }
        let authority = rest[2..].split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(TargetError::User);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        // The normal form escapes what is not ASCII, and so may be longer.
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        let host = url.host().ok_or(TargetError::NotUrl)?.to_owned();
        if matches!(&host, Host::Domain(name) if name.len() > NAME_BYTES_MAX) {
            return Err(TargetError::Name);
        }
        let port = match url.port_or_known_default() {
            Some(0) | None => return Err(TargetError::Port),
            Some(port) => port,
        };
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let path = path.parse().map_err(|_| TargetError::NotUrl)?;
        Ok(Self {
            url,
            host,
            port,
            path,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}/…)", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_what_a_request_needs() {
        for (text, authority, port, path) in [
            ("https://a.test", "a.test", 443, "/"),
            ("http://A.test/x?y=1", "a.test", 80, "/x?y=1"),
            ("https://a.test:8443/x", "a.test:8443", 8443, "/x"),
            ("https://a.test:443", "a.test", 443, "/"),
            ("https://a.test//b.test/../x", "a.test", 443, "//x"),
            ("https://a.test?x", "a.test", 443, "/?x"),
            ("https://bücher.test", "xn--bcher-kva.test", 443, "/"),
            ("http://[2001:DB8::1]:80/", "[2001:db8::1]", 80, "/"),
            // Other spellings of 127.0.0.1, which vetting must see as it.
            ("http://2130706433/", "127.0.0.1", 80, "/"),
            ("http://0x7f.1/", "127.0.0.1", 80, "/"),
            ("http://0177.0.0.1/", "127.0.0.1", 80, "/"),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.authority(), authority, "{text}");
            assert_eq!(
                (target.port(), target.path().to_string().as_str()),
                (port, path),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let long = format!("https://a.test/{}", "x".repeat(URL_BYTES_MAX));
        let grows = format!("https://a.test/{}", "ü".repeat(URL_BYTES_MAX / 3));
        let name = format!("https://{}test/", "a.".repeat(126));
        for (text, error) in [
            ("", TargetError::NotUrl),
            ("a.test/x", TargetError::NotUrl),
            ("https:/a.test", TargetError::NotUrl),
            ("https:a.test", TargetError::NotUrl),
            ("https:///a.test", TargetError::NotUrl),
            ("https:\\\\a.test", TargetError::NotUrl),
            ("https://a.test\\@b.test", TargetError::NotUrl),
            (" https://a.test", TargetError::NotUrl),
            ("https://a.te\nst", TargetError::NotUrl),
            ("https://[::1%25eth0]/", TargetError::NotUrl),
            ("https://a.test:65536/", TargetError::NotUrl),
            ("ftp://a.test/", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("https://u@a.test/", TargetError::User),
            ("https://u:p@a.test/", TargetError::User),
            ("https://@a.test/", TargetError::User),
            ("https://a.test/#x", TargetError::Fragment),
            ("https://a.test:0/", TargetError::Port),
            (&long, TargetError::TooLong),
            (&grows, TargetError::TooLong),
            (&name, TargetError::Name),
        ] {
            assert_eq!(text.parse::<Target>().err(), Some(error), "{text}");
        }
    }

    #[test]
    fn every_printable_character_is_sent_or_refused() {
        for c in (' '..='~').chain(['ü', '\u{feff}', '\u{10ffff}']) {
            for text in [
                format!("https://a.test/{c}"),
                format!("https://a.test/?{c}"),
            ] {
                let sent = text.parse::<Target>().is_ok();
                assert_eq!(sent, !" \\#".contains(c), "{text}");
            }
        }
    }

    #[test]
    fn only_the_origin_is_shown() {
        let target: Target = "https://a.test/s3cret?k=s3cret".parse().expect("a URL");
        assert_eq!(
            format!("{target} {target:?}"),
            "https://a.test Target(https://a.test/…)"
        );
    }
}
