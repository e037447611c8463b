//! Attempts: numbered tries at an execution, how they fail, and what they use.

mod engine_code;
mod failure;
mod lifecycle;

pub use engine_code::{EngineCode, is_reserved_code};
pub use failure::{Failure, FailureClass, Usage};
pub use lifecycle::{AlreadySatisfied, AttemptEnd, AttemptLifecycle, AttemptType};
