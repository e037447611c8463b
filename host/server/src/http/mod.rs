//! The HTTP API: JSON under `/v1`, problems as `application/problem+json`.
//!
//! One file per endpoint group. Every route stands in [`routes`], from which the
//! router is made and which a test holds against the OpenAPI document. Bodies
//! are read by [`body`] under the cap of their route, queries by [`query`], and
//! only [`problem`] assigns statuses.

mod answer;
mod app;
mod block;
mod body;
mod callbacks;
mod cancel;
mod claim;
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
mod payload;
mod problem;
mod query;
mod read;
mod refusals;
mod routes;
mod signal;
mod suspend;
mod suspended;
mod suspensions;
mod tags;
mod wait;
mod waitpoint_keys;
mod waitpoints;
mod workers;

pub use app::App;
pub use callbacks::PATH as CALLBACKS;
pub use claim::WAIT_MS_MAX as CLAIM_WAIT_MS_MAX;
pub use listen::Server;
pub use openapi::document;
pub(crate) use payload::{Forms, PAYLOAD};
pub use problem::{Code, Problem};
pub use routes::{ROUTES, router};
