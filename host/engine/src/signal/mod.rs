//! Signals: what is sent to a waitpoint, and what it does to the execution there.
//!
//! ```text
//! send       checks a signal and the token it comes with
//! deliver/   decides what signals do, and writes it; ends suspensions
//! received   the unconsumed signals of waitpoints
//! list       signals for people
//! counters   how many signals had which outcome on this host
//! ```

mod counters;
mod deliver;
mod list;
mod received;
mod send;

pub use deliver::{Addressee, Delivered, SendSignal};
pub use list::SignalInfo;

pub(crate) use counters::SignalCounters;
pub(crate) use deliver::{DeliverCall, DeliverVerdict, Resume};
pub(crate) use received::received_signals;
