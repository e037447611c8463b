//! claim: waiting → active.
//!
//! Charges the attempt before any guest code runs: the lease row is durable when
//! the claim returns. Locks: the ready rows taken. Event: `acquired`, or
//! `reclaimed` after a lost lease.

mod claimed;
mod resumption;
mod verb;

pub use claimed::Claimed;
pub use verb::Claim;

pub(crate) use claimed::{ClaimedRow, claimed};
pub(crate) use resumption::{Received, payload, received};
pub use resumption::{ReceivedSignal, Resumption};
