//! Connections to the database: opened with known settings, bounded in time, and
//! closed when they stop answering.
//!
//! The server bounds what it runs (`statement_timeout`), which does not help when the
//! server is stopped, or when a firewall or a proxy dropped the connection: nothing ever
//! arrives on it, and nothing says so. So a statement without an answer in its time is
//! abandoned, and its connection closed rather than used again.
//!
//! ```text
//! idle ──▶ in use ──▶ answered ────────────▶ idle
//!             │  └──▶ broken, or no answer ──▶ closed; the idle ones become suspect
//!             └─────▶ caller went away ──────▶ drained for a moment, else closed
//! ```
//!
//! Where one connection stopped answering its neighbors likely did: those that were idle
//! meanwhile are *suspect*, which costs each a round trip before its next use, and
//! statements that have waited as long are abandoned with it. A connection that is not
//! suspect is used without a check, since most statements are short.

mod connection;
mod executor;
mod health;
mod liveness;
mod pool;
mod schema;
mod server;
mod session;
pub(crate) mod sqlstate;
mod tls;

pub(crate) use health::DatabaseHealth;
pub(crate) use liveness::Liveness;
pub(crate) use pool::Pool;
pub use schema::{Instance, MIGRATOR};
pub(crate) use schema::{prepare_schema, read_instance};
pub(crate) use server::first_connection;
pub use session::PLANNER;
pub(crate) use session::Session;
