//! Leases: how an execution gets one, and what its holder may do with it.
//!
//! Every write of a holder carries its fence, and the statement compares it. The
//! statement of every end of a lease is in `end`; the verbs that use it are beside it.

mod cancel;
mod claim;
mod complete;
mod delay;
mod end;
mod fail;
mod list_expired;
mod observe;
mod progress;
mod release;
mod renew;
mod report;

pub use cancel::CancelHeld;
pub use claim::{Claim, Claimed, ReceivedSignal, Resumption};
pub use complete::Complete;
pub use delay::{Delay, Due};
pub use fail::{Fail, Failed};
pub use list_expired::{ExpiredLease, LeaseSummary};
pub use report::Report;

pub(crate) use claim::{ClaimedRow, Received, claimed, payload, received};
pub(crate) use end::{EndLease, EndLeaseVerdict};
pub(crate) use fail::check_failure;
pub(crate) use observe::Observation;
pub(crate) use progress::{ProgressCall, ProgressVerdict};
