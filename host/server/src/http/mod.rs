//! The HTTP API: JSON under `/v1`, problems as `application/problem+json`.
//!
//! One file per endpoint group. Every route stands in [`routes`], from which the
//! router is made and which a test holds against the OpenAPI document. [`routes`]
//! also wraps them all: [`browsers`] refuses what pages of other sites send, each
//! request has its time, and a handler that panics is a problem like any other.
//! Paths are read by [`path`], queries by [`query`], cursors by [`page`], and bodies
//! by [`body`] under the cap of their route; what is no HTTP is answered by
//! [`listen`]. Only [`problem`] assigns statuses.

mod answer;
mod app;
mod block;
mod body;
mod browsers;
mod callbacks;
mod cancel;
mod claim;
mod coding;
mod components;
mod create;
mod create_batch;
mod decide;
mod expired;
mod grants;
mod health;
mod kinds;
mod lanes;
mod leases;
mod list;
mod listen;
mod metrics;
mod namespaces;
mod openapi;
mod operate;
mod overrule;
mod page;
mod path;
mod payload;
mod prefer;
mod problem;
mod publish;
mod query;
mod read;
mod refusals;
mod routes;
mod signal;
mod suspend;
mod suspended;
mod suspensions;
mod tags;
mod text;
mod unspoken;
mod wait;
mod waitpoint_keys;
mod waitpoints;
mod workers;

pub use app::App;
pub(crate) use browsers::{host_of, origin_of};
pub use callbacks::PATH as CALLBACKS;
pub use claim::WAIT_MS_MAX as CLAIM_WAIT_MS_MAX;
pub use listen::Server;
pub use openapi::document;
pub(crate) use payload::{Forms, PAYLOAD};
pub use problem::{Code, Problem};
pub use routes::{ROUTES, router};
pub(crate) use text::shorten;
