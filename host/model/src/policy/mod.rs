//! The policy of an execution: how it is retried, bounded and routed.

mod execution;
mod not_offered;
mod retry;

pub use execution::{
    Backoff, ExecutionPolicy, PRIORITY_MAX, RetryPolicy, RoutingRequirements, SuspensionPolicy,
    TimeoutBehavior, TimeoutPolicy, capabilities,
};
pub use not_offered::NotOffered;
pub use retry::Retry;
