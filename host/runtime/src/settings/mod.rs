//! Settings of the runtime, of a worker and of one sandbox, and their defaults. The
//! lowest folder of the crate: it imports none of the others.

mod code_limits;
mod limit_hit;
mod runtime_settings;
mod sandbox_limits;
mod worker_settings;

pub use code_limits::{CodeLimits, CompileIn};
pub use limit_hit::LimitHit;
pub use runtime_settings::{Pooling, RuntimeSettings};
pub use sandbox_limits::SandboxLimits;
pub use worker_settings::{CALLBACK_PREFIX, WorkerSettings};
