//! Waking tasks that wait: within this host directly, on other hosts by a notification.
//!
//! A wake-up is a hint; every task that waits also polls. A notification inside a
//! writing transaction takes a lock that every commit of the server queues for
//! (measured: 4 to 30 times fewer commits), so notifications are sent by one connection
//! outside any write, with a pause between two.
//!
//! A connection that listens gives no sign when nothing arrives any more: a firewall may
//! have dropped it, a pooler may have given its session to another client. So each host
//! also notifies itself now and then. One that does not receive its own notification is
//! *deaf*: it listens again on another connection, and its metrics say so.

mod elsewhere;
mod flows;
mod listener;
mod local;
mod notifier;
mod state;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use local::{Waiter, Wake};
pub use state::WakeUps;
