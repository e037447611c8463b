//! The end of an execution from outside: waiting, parked or active → finished.
//!
//! cancel, expire, the execution deadline and a suspension that timed out end here, in
//! one statement. Locks: lease, ready, parked, timer, then the suspension and the
//! waitpoints. Event: the one the caller names.

mod cancel;
mod statement;

pub use cancel::{Cancel, Cancelled};

pub(crate) use statement::{FinishCall, FinishGuard, FinishVerdict};
