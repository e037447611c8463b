//! The HTTP API: JSON under `/v1`, problems as `application/problem+json`.
//!
//! A folder per noun, a file per group of endpoints. Every route has one line in
//! [`routes`], from which come the router, the OpenAPI document and the limits of each
//! request, and who may send it ([`access`]). A handler says in its arguments what it reads:
//! [`path`], [`query`], [`page`], [`body`], or [`operator`] for all of these at once.
//!
//! ```text
//! transport/listen ─▶ router ─▶ doors        ─▶ transport/browsers ─▶ limits ─▶ access ─▶ handler ─▶ problem
//! connections, TLS    counts    who asks how     pages of other       time      who       answer     statuses
//!                               much             sites
//! ```
//!
//! Only [`problem`] assigns statuses.

mod access;
mod answer;
mod app;
mod audit;
mod body;
mod code;
mod components;
mod doors;
mod events;
mod executions;
mod flows;
mod grants;
mod lanes;
mod leases;
mod limits;
mod openapi;
mod operator;
mod ops;
mod page;
mod path;
mod payload;
mod problem;
mod query;
mod router;
mod routes;
mod signals;
mod sse;
mod streams;
mod tokens;
mod transport;
mod waitpoints;
mod webhooks;
mod workers;

pub use access::{Access, Within, table as roles_table};
pub use app::{App, Opened};
pub use doors::oidc;
pub use openapi::document;
pub(crate) use payload::{PAYLOAD, PayloadFields};
pub use problem::{Code, Problem};
pub use router::router;
pub use routes::{ROUTES, Route};
pub use transport::listen::Server;
pub(crate) use transport::tls::Tls;
