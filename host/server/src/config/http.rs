//! Section `[http]`: the API.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Uri;
use model::Invalid;
use serde::{Deserialize, Serialize};

use super::Config;
use crate::address::{CALLBACKS, host_of, origin_of};

/// The HTTP API of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Beginning of callback URLs: where outsiders reach this API, such as
    /// `https://flow.example.com`; the address it listens on when absent.
    pub public_url: Option<String>,
    /// Further names this API may be called by in a browser, without a port; `*` is
    /// any. On loopback these are `localhost` and the host of `public_url`; on other
    /// addresses any name, unless some are listed here.
    pub allowed_hosts: Vec<String>,
    /// Origins of other sites whose pages may use this API, such as
    /// `https://console.example.com`.
    pub allowed_origins: Vec<String>,
    /// Most connections open at once; more wait to be accepted.
    pub connections_max: u32,
    /// Longest a request may take, in milliseconds, but for `/wait` and
    /// `/claim`, which have their own limit.
    pub request_timeout_ms: u32,
    /// Longest a connection may take to send the head of a request, or idle
    /// between two, in milliseconds.
    pub head_timeout_ms: u32,
    /// Most bytes of a body with many items: of `POST /v1/executions/batch` and of
    /// requests about leases.
    pub batch_bytes_max: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            connections_max: 4096,
            request_timeout_ms: 30_000,
            head_timeout_ms: 30_000,
            batch_bytes_max: 32 << 20,
        }
    }
}

/// Most bytes of `http.public_url`.
const PUBLIC_URL_BYTES_MAX: usize = 512;

impl Config {
    /// Returns the beginning of callback URLs, which a token follows. `bound` is the
    /// address the API listens on.
    pub fn callback_prefix(&self, bound: SocketAddr) -> String {
        self.http.callback_prefix(self.tls.scheme(), bound)
    }
}

impl Http {
    /// Returns the beginning of callback URLs, which a token follows. `bound` is the
    /// address the API listens on, and `scheme` what it speaks there.
    fn callback_prefix(&self, scheme: &str, bound: SocketAddr) -> String {
        let here = format!("{scheme}://{bound}");
        let public = self.public_url.as_deref().unwrap_or(&here);
        format!("{}{}", public.trim_end_matches('/'), CALLBACKS)
    }

    /// Checks every value against its bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        for (key, checked) in [
            ("http.public_url", self.check_public_url()),
            ("http.allowed_hosts", self.check_allowed_hosts()),
            ("http.allowed_origins", self.check_allowed_origins()),
        ] {
            checked.map_err(|detail| Invalid::new(key, detail))?;
        }
        if self.request_timeout_ms == 0 || self.head_timeout_ms == 0 {
            return Err(Invalid::new("http", "timeouts must be above zero"));
        }
        Ok(())
    }

    /// Checks `public_url`: `http` or `https`, a host, and perhaps a path.
    fn check_public_url(&self) -> Result<(), String> {
        let Some(url) = &self.public_url else {
            return Ok(());
        };
        if url.len() > PUBLIC_URL_BYTES_MAX {
            return Err(format!("at most {PUBLIC_URL_BYTES_MAX} bytes"));
        }
        let wrong = |what: &str| {
            Err(format!(
                "`{}` {what}; write it like https://flow.example.com",
                url.escape_debug()
            ))
        };
        let Ok(parsed) = url.parse::<Uri>() else {
            return wrong("is not a valid URL");
        };
        match (parsed.scheme_str(), parsed.host()) {
            (Some("http" | "https"), Some(host)) if !host.is_empty() => {}
            _ => return wrong("is not an http or https URL of a host"),
        }
        if parsed
            .authority()
            .is_some_and(|it| it.as_str().contains('@'))
        {
            return wrong("names a user");
        }
        // What follows the path would end up before the token.
        if url.contains(['?', '#']) {
            return wrong("has more than a path");
        }
        Ok(())
    }

    /// Returns the names this API may be called by in a browser, in lower case and
    /// besides every address; `None` is any name.
    pub fn host_names(&self) -> Option<Vec<String>> {
        let listed = &self.allowed_hosts;
        let open = listed.is_empty() && !self.listen.ip().is_loopback();
        if open || listed.iter().any(|name| name == "*") {
            return None;
        }
        let public = self.public_url.as_deref().and_then(|url| {
            let url: Uri = url.parse().ok()?;
            Some(url.host()?.to_owned())
        });
        let here = std::iter::once("localhost".to_owned());
        let names = here.chain(public).chain(listed.iter().cloned());
        Some(names.map(|name| host_of(&name)).collect())
    }

    /// Checks `allowed_hosts`: each a name. Addresses need not be listed.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn check_allowed_hosts(&self) -> Result<(), String> {
        for name in &self.allowed_hosts {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            let good = !name.is_empty() && name.len() <= 255 && name.bytes().all(plain);
            if !good && name != "*" {
                return Err(format!(
                    "`{}` is not the name of a host; write it without scheme and port, like flow.example.com, or * for any",
                    name.escape_debug()
                ));
            }
        }
        Ok(())
    }

    /// Checks `allowed_origins`: each a scheme, a host and perhaps a port.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn check_allowed_origins(&self) -> Result<(), String> {
        for origin in &self.allowed_origins {
            let bare = origin.matches('/').count() == 2 && !origin.contains(['?', '#', '@', '*']);
            if !bare || origin_of(origin).is_none() {
                return Err(format!(
                    "`{}` is not an origin; write it like https://console.example.com",
                    origin.escape_debug()
                ));
            }
        }
        Ok(())
    }

    /// Returns the longest a request may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    /// Returns the longest a connection may take to send a head.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(public_url: &str) -> Http {
        Http {
            public_url: Some(public_url.to_owned()),
            ..Http::default()
        }
    }

    #[test]
    fn callback_urls_begin_with_the_public_url_or_the_address() {
        let bound = "127.0.0.1:7171".parse().expect("an address");
        let here = Http::default().callback_prefix("http", bound);
        assert_eq!(here, "http://127.0.0.1:7171/v1/callbacks/");
        let mut over_tls = Config::default();
        over_tls.tls.certificate = Some("a.pem".into());
        let here = over_tls.callback_prefix(bound);
        assert_eq!(here, "https://127.0.0.1:7171/v1/callbacks/");
        for url in ["https://flow.example.com/a", "https://flow.example.com/a/"] {
            assert_eq!(http(url).check_public_url(), Ok(()));
            let prefix = http(url).callback_prefix("http", bound);
            assert_eq!(prefix, "https://flow.example.com/a/v1/callbacks/");
        }
    }

    #[test]
    fn names_and_origins_are_checked_before_they_are_compared() {
        let hosts = |name: &str| Http {
            allowed_hosts: vec![name.to_owned()],
            ..Http::default()
        };
        for good in ["flow.example.com", "flow_1", "10.0.0.1", "*"] {
            assert_eq!(hosts(good).check_allowed_hosts(), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "::1",
            "flow.example.com:80",
            "https://flow",
            "*.example.com",
            "a b",
        ] {
            assert!(hosts(wrong).check_allowed_hosts().is_err(), "{wrong}");
        }
        let origins = |origin: &str| Http {
            allowed_origins: vec![origin.to_owned()],
            ..Http::default()
        };
        for good in [
            "https://a.example",
            "http://localhost:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(origins(good).check_allowed_origins(), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "*",
            "null",
            "a.example",
            "https://a.example/",
            "ftp://a",
            "https://u@a",
        ] {
            assert!(origins(wrong).check_allowed_origins().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_url_is_one_that_can_be_called() {
        for wrong in [
            "",
            "/",
            "flow.example.com",
            "flow.example.com:443",
            "ftp://flow.example.com",
            "https://",
            "https:///x",
            "https://user:secret@flow.example.com",
            "https://flow.example.com/?a=b",
            "https://flow.example.com/#a",
            "https://flow example.com",
            &format!("https://{}", "a".repeat(600)),
        ] {
            assert!(http(wrong).check_public_url().is_err(), "{wrong}");
        }
    }
}
