//! Grants: claims in two steps, for schedulers outside.
//!
//! ```text
//! scheduler:  scan ─▶ issue ──grant──▶ worker:  redeem ─▶ lease
//! ```
//!
//! A grant promises a ready execution to one worker for at most a minute. It is
//! three columns of the execution's row in `ready`: the execution waits as
//! before for everyone who reads it, is cancelled or expires as before, and only
//! ordinary claims pass it by until the grant lapses. Nothing has to reap
//! grants: one that lapsed is a time in the past. A claim reads past the live
//! grants before what it takes, so schedulers should grant what they hand out
//! soon and no more.
//!
//! What the worker holds is a signed handle; redeeming it runs the statement of
//! every claim. Grants write no event: nothing has begun.

mod issue;
mod look;
mod redeem;
mod scan;

pub use issue::{Grant, GrantNext, IssueGrant, capability_hash};
pub use scan::Eligible;
