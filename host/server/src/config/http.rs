//! Section `[http]`: the API.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
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
            connections_max: 4096,
            request_timeout_ms: 30_000,
            head_timeout_ms: 30_000,
            batch_bytes_max: 32 << 20,
        }
    }
}

impl Http {
    /// Returns the longest a request may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    /// Returns the longest a connection may take to send a head.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms.into())
    }
}
