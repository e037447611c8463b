//! Policies: how an execution is retried, bounded and routed, and how long an instance
//! keeps what has ended.

mod backoff;
mod duration;
mod execution;
mod not_offered;
mod priority;
mod retention;
mod retry;
mod routing;
mod stream;
mod suspension;
mod timeout;

pub use backoff::Backoff;
pub use duration::{duration, time_limit};
pub use execution::ExecutionPolicy;
pub use not_offered::NotOffered;
pub use priority::{PRIORITY_MAX, priority};
pub use retention::Retention;
pub use retry::{Retry, RetryPolicy};
pub use routing::{RoutingRequirements, capabilities};
pub use stream::StreamPolicy;
pub use suspension::{SuspensionPolicy, TimeoutBehavior};
pub use timeout::TimeoutPolicy;
