//! Attempts: numbered tries at an execution, how they fail, and what they use.

mod engine_code;
mod failure;
mod lifecycle;
mod usage;

pub use engine_code::{EngineCode, ExpireReason, failure_code, is_reserved_code};
pub use failure::{Failure, FailureClass};
pub use lifecycle::{AlreadySatisfied, AttemptEnd, AttemptLifecycle, AttemptType};
pub use usage::Usage;
