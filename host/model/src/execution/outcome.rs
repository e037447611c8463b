//! Outcomes: how an execution ended.

use crate::FailureClass;
use crate::wire::named;

named! {
    /// How an execution ended.
    pub enum Outcome ("outcome") {
        /// Its handler returned a result.
        Success = "success",
        /// Its handler failed and no attempt was left.
        Failed = "failed",
        /// A caller or its holder cancelled it.
        Cancelled = "cancelled",
        /// A time limit passed.
        Expired = "expired",
        /// Its flow no longer needs it.
        Skipped = "skipped",
    }
}

impl FailureClass {
    /// Returns the class of an end that a host of an earlier version recorded without
    /// one, because a time limit or an operator ended the execution.
    pub const fn of_end(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Failed | Outcome::Expired => Self::Timeout,
            Outcome::Success | Outcome::Cancelled | Outcome::Skipped => Self::Cancelled,
        }
    }
}
