//! Executions: creation, the end from outside, and reads.
//!
//! What a holder does is in `lease`, what an operator does in `operator`.

mod context;
mod counts;
mod create;
mod exists;
mod finish;
mod get;
mod info;
mod list;
mod read;
mod timeline;
mod wait;

pub use context::ExecutionContext;
pub use counts::{Count, Counts};
pub use create::{Create, Created};
pub use finish::{Cancel, Cancelled};
pub use info::{ExecutionInfo, Progress};
pub use list::{ListFilter, ListOrder, ListPage, ListPlace, Listed, TimeRange};
pub use timeline::{Attempt, AttemptLease, HistoryEntry, HistoryPlace};

pub(crate) use counts::LastCounts;
pub(crate) use create::{
    CreateCall, CreateVerdict, capabilities_text, policy_text, request_digest,
};
pub(crate) use finish::{FinishCall, FinishGuard, FinishVerdict};
pub(crate) use info::Info;
pub(crate) use read::{Infos, Outcomes, ReadCall};
