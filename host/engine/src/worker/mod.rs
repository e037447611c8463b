//! The registry of workers: who said that it works, and until when that is
//! believed.
//!
//! The registry informs operators and schedulers; leases do not depend on it. A
//! worker need not register to claim, and one that falls silent loses its
//! executions when their leases lapse, not when the registry gives it up.

mod dead;
mod heartbeat;
mod list;
mod register;
mod retire;

pub use dead::{MarkDead, MarkedDead};
pub use list::{WorkerFilter, WorkerInfo};
pub use register::{RegisterWorker, Registered};
