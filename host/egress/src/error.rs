//! Why a request got no answer.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use crate::{Network, Target};

/// Most bytes of a reason that a library or the system gives.
const REASON_BYTES_MAX: usize = 200;

/// Why a request got no answer.
///
/// The texts name the host and nothing of the path, the query, headers or bodies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host has only addresses that requests may not reach.
    #[error(
        "blocked address: {host} is {network}; the operator of this instance can allow it with egress.allow"
    )]
    BlockedAddress {
        /// The host of the URL, without its port.
        host: String,
        /// Network of the first address.
        network: Network,
    },
    /// The name of the host exists and has no address.
    #[error("no address: {host} has none")]
    NoAddress {
        /// The host of the URL, without its port.
        host: String,
    },
    /// The name of the host cannot be resolved.
    #[error("not resolved: {host}: {reason}")]
    Unresolved {
        /// The host of the URL, without its port.
        host: String,
        /// The system's answer about the name.
        reason: String,
    },
    /// No connection to any address of the host.
    #[error("not connected: {origin}: {reason}")]
    NotConnected {
        /// Scheme, host and port.
        origin: String,
        /// The system's answer for the last address.
        reason: String,
    },
    /// The host cannot prove that it has the name, or speaks no TLS.
    #[error("no TLS: {origin}: {reason}")]
    Tls {
        /// Scheme, host and port.
        origin: String,
        /// What the handshake stopped at.
        reason: String,
    },
    /// The time of the request is over.
    #[error("timed out: {origin} after {} ms, {during}", after.as_millis())]
    TimedOut {
        /// Scheme, host and port.
        origin: String,
        /// The time that the request had.
        after: Duration,
        /// The step that it was at.
        during: Step,
    },
    /// The answer is larger than allowed.
    #[error("too large: the {part} of the answer of {origin}")]
    TooLarge {
        /// Scheme, host and port.
        origin: String,
        /// Which part of the answer exceeds its limit.
        part: Part,
    },
    /// The connection ended early, or what was sent over it is not HTTP/1.1.
    #[error("no answer: {origin}: {reason}")]
    NoAnswer {
        /// Scheme, host and port.
        origin: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The caller set a header that only the client sets.
    #[error("the header `{0}` is set by the host and must not be given")]
    OwnHeader(String),
}

/// A step of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Others use all connections that the limits allow.
    Queueing,
    /// The name is being resolved.
    Resolving,
    /// The connection is being made.
    Connecting,
    /// The request is being sent, or the answer received.
    Answering,
}

/// A part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The status line and the headers.
    Head,
    /// The content, as it is sent.
    Body,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Queueing => "waiting for a connection that the limits allow",
            Self::Resolving => "resolving the name",
            Self::Connecting => "connecting",
            Self::Answering => "waiting for the answer",
        })
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Head => "head",
            Self::Body => "body",
        })
    }
}

impl Error {
    pub(crate) fn unresolved(target: &Target, error: &io::Error) -> Self {
        Self::Unresolved {
            host: target.host().to_string(),
            reason: bounded(&error.to_string()),
        }
    }

    pub(crate) fn not_connected(target: &Target, error: &io::Error) -> Self {
        Self::NotConnected {
            origin: target.origin(),
            reason: bounded(&error.to_string()),
        }
    }

    pub(crate) fn tls(target: &Target, reason: &str) -> Self {
        Self::Tls {
            origin: target.origin(),
            reason: bounded(reason),
        }
    }

    pub(crate) fn too_large(target: &Target, part: Part) -> Self {
        Self::TooLarge {
            origin: target.origin(),
            part,
        }
    }

    pub(crate) fn no_answer(target: &Target, error: &hyper::Error) -> Self {
        if error.is_parse_too_large() {
            return Self::too_large(target, Part::Head);
        }
        let mut reason = error.to_string();
        if let Some(source) = error.source() {
            reason = format!("{reason}: {source}");
        }
        Self::NoAnswer {
            origin: target.origin(),
            reason: bounded(&reason),
        }
    }
}

/// Returns a reason on one line and within bounds.
fn bounded(reason: &str) -> String {
    let line: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    model::truncated(&line, REASON_BYTES_MAX).into_owned()
}
