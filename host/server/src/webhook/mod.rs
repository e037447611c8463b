//! Webhooks, as a host delivers them.
//!
//! ```text
//! deliver   takes webhooks that are due, a task for each, bounded
//!   turn    reads its events, sends one after the other, records each
//!   send    signs a message and sends it through the client of `egress`
//! figures   what became of it, for `/metrics`
//! ```
//!
//! The engine decides who delivers what next, and keeps where each webhook stands.

mod deliver;
mod figures;
mod send;
mod turn;

pub use deliver::Deliveries;
pub use figures::Figures;
use send::Message;
pub use send::ping;
