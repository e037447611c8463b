//! Everything a person or a client touches: the HTTP API, the command line,
//! the configuration, and the host that ties the parts together.
//!
//! ```text
//! cli ──▶ host ──▶ pgserver, engine, runtime
//!  │        └────▶ http ──▶ api        (the shapes on the wire)
//!  └─ client commands ──HTTP──▶ http
//! ```
//!
//! There is no SQL and no wasmtime here: durable changes are the engine's verbs,
//! and guests are the runtime's.

mod address;
pub mod api;
pub mod cli;
pub mod config;
pub mod duration;
pub mod host;
pub mod http;
pub mod stopwatch;
pub mod telemetry;
mod webhook;

pub use cli::main;
pub use host::{Host, StartError};
