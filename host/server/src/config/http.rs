//! Section `[http]`: the API.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

/// The API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// What callback URLs begin with: where outsiders reach this API, such as
    /// `https://flow.example.com`; absent, `http://` and the address it listens on.
    pub public_url: Option<String>,
    /// Most connections open at once; more wait to be accepted.
    pub connections_max: u32,
    /// Longest a request may take, in milliseconds, but for `/wait` and
    /// `/claim`, which have their own limit.
    pub request_timeout_ms: u32,
    /// Longest a connection may take to send the head of a request, or idle
    /// between two, in milliseconds.
    pub head_timeout_ms: u32,
    /// Most bytes of a body that holds many things: `POST /v1/executions/batch`
    /// and what is asked about leases.
    pub batch_bytes_max: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
            public_url: None,
            connections_max: 4096,
            request_timeout_ms: 30_000,
            head_timeout_ms: 30_000,
            batch_bytes_max: 32 << 20,
        }
    }
}

/// Most bytes of `http.public_url`.
const PUBLIC_URL_BYTES_MAX: usize = 512;

impl Http {
    /// Returns what callback URLs begin with: a token follows. `bound` is the
    /// address the API listens on.
    pub fn callback_prefix(&self, bound: SocketAddr) -> String {
        let here = format!("http://{bound}");
        let public = self.public_url.as_deref().unwrap_or(&here);
        format!("{}{}", public.trim_end_matches('/'), crate::http::CALLBACKS)
    }

    /// Checks `public_url`: `http` or `https`, a host, and perhaps a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_public_url(&self) -> Result<(), String> {
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
            return wrong("is no URL");
        };
        match (parsed.scheme_str(), parsed.host()) {
            (Some("http" | "https"), Some(host)) if !host.is_empty() => {}
            _ => return wrong("is no http or https URL of a host"),
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
    fn callbacks_come_to_the_public_url_or_else_to_the_address() {
        let bound = "127.0.0.1:7171".parse().expect("an address");
        let here = Http::default().callback_prefix(bound);
        assert_eq!(here, "http://127.0.0.1:7171/v1/callbacks/");
        for url in ["https://flow.example.com/a", "https://flow.example.com/a/"] {
            assert_eq!(http(url).check_public_url(), Ok(()));
            let prefix = http(url).callback_prefix(bound);
            assert_eq!(prefix, "https://flow.example.com/a/v1/callbacks/");
        }
    }

    #[test]
    fn what_nobody_can_call_is_no_public_url() {
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
