//! The HTTP API: JSON under `/v1`, problems as `application/problem+json`.
//!
//! A folder per noun, a file per group of endpoints. Every route stands in [`routes`],
//! from which the router is made and which a test holds against the OpenAPI document.
//! [`routes`] also wraps them all: [`transport::browsers`] refuses what pages of other
//! sites send, each request has its time, and a handler that panics is a problem like
//! any other. Paths are read by [`path`], queries by [`query`], cursors by [`page`], and
//! bodies by [`body`] under the cap of their route; what is not HTTP is answered by
//! [`transport::listen`]. Only [`problem`] assigns statuses.

mod answer;
mod app;
mod body;
mod components;
mod executions;
mod grants;
mod lanes;
mod leases;
mod openapi;
mod ops;
mod page;
mod path;
mod payload;
mod problem;
mod query;
mod refusals;
mod routes;
mod signals;
mod transport;
mod waitpoints;
mod workers;

pub use app::App;
pub use openapi::document;
pub(crate) use payload::{Forms, PAYLOAD};
pub use problem::{Code, Problem};
pub use routes::{ROUTES, router};
pub use signals::callbacks::PATH as CALLBACKS;
pub(crate) use transport::browsers::{host_of, origin_of};
pub use transport::listen::Server;
