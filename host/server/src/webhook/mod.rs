//! Webhooks, as a host delivers them.
//!
//! ```text
//! deliver   takes webhooks that are due, a task for each, bounded
//!   turn    reads its events, sends one after the other, records each
//!   send    signs a message and sends it through the client of `egress`
//! ```
//!
//! The engine decides who delivers what next, and keeps where each webhook stands.

mod deliver;
mod send;
mod turn;

pub use deliver::Deliveries;
use send::Message;
pub use send::ping;
