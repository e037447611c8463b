//! The end of a lease: active → finished, waiting or parked.
//!
//! complete, fail, delay, wait-children, cancel and release by the holder, revocation,
//! lease expiry and attempt timeout all end here, in one statement; a suspension ends a
//! lease in `suspension/suspend.sql`. Locks: the lease rows. Event: the one the caller
//! names.

mod end_lease;
mod repeat;
mod statement;

pub(crate) use end_lease::EndLease;
pub(crate) use statement::EndLeaseVerdict;
