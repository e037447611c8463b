//! cancel: a flow takes no new members, and those that the policy names are cancelled.
//!
//! The statement lists the members in `flow_cancel`; they are cancelled from there one batch
//! after the other, by the host that was asked and by a sweep of any host.
//!
//! Locks: the flow. Event: `flow_cancel_requested`, and those of each member.

mod verb;

pub use verb::{CancelFlow, CancelledFlow};
