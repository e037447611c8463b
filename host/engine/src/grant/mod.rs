//! Grants: claims in two steps, for schedulers outside.
//!
//! ```text
//! scheduler:  scan ─▶ issue ──grant──▶ worker:  redeem ─▶ lease
//! ```
//!
//! A grant reserves a ready execution for one worker for at most a minute. It is three
//! columns of the execution's row in `ready`: the execution is still *waiting* in every
//! read, can be cancelled and can expire; only ordinary claims skip it until the grant
//! expires. No sweep removes grants: an expired one is a time in the past. A claim
//! reads the granted rows before those it takes, so schedulers should grant only what
//! they pass on soon.
//!
//! The worker holds a signed handle; redeeming it runs the statement of every claim.
//! Grants write no event: nothing has begun.

mod issue;
mod next;
mod observe;
mod redeem;
mod scan;

pub use issue::{Grant, IssueGrant, capability_hash};
pub use next::GrantNext;
pub use scan::{Eligible, EligiblePlace};
