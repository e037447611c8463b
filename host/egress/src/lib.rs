//! Requests that leave the instance: resolve, vet, dial, and stop at limits.
//!
//! People choose the URLs that an instance calls, and the instance stands where they do
//! not: beside its database, the metadata service of its cloud, and other services that
//! trust the network. So each request passes through one client:
//!
//! ```text
//! URL ──▶ target ──▶ resolve ──▶ vet ──▶ dial ──▶ TLS ──▶ HTTP/1.1 ──▶ answer
//!         parse,     names,      by       only    for the  status, headers,
//!         bound      once        network  vetted  name     body up to a limit
//! ```
//!
//! A name is resolved once, every address of the answer is vetted, and the socket is
//! connected to a vetted address: there is no second resolution whose answer could
//! differ (DNS rebinding). An address in the URL is vetted the same way. Redirects are
//! answers like others and are not followed, proxies of the environment are not used,
//! and each request has a connection of its own. A request is dropped, with its
//! connection, when its future is.
//!
//! Errors name the host of a request and never its path, query, headers or body, which
//! hold secrets of the called service, nor the address that a name resolves to, which
//! would map the network for the person who chose the name.

mod address;
mod allow;
mod answer;
mod client;
mod dial;
mod error;
mod resolve;
mod slots;
mod target;
mod tls;
mod vet;

pub use address::Network;
pub use allow::{Allow, AllowError};
pub use answer::{Answer, LongBody};
pub use client::{Client, Request, Settings};
pub use error::Error;
pub use hyper::body::Bytes;
pub use hyper::{HeaderMap, Method, StatusCode, header};
pub use resolve::{Resolve, Resolved, SystemResolver};
pub use target::{Target, TargetError, URL_BYTES_MAX};
pub use tls::{CertificatesError, certificates};
