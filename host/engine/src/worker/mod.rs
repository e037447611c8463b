//! The registry of workers: which of them registered, and until when each is taken to be
//! live.
//!
//! The registry informs operators and schedulers; leases do not depend on it. A worker
//! need not register to claim, and one that stops sending heartbeats loses its
//! executions when their leases expire, not when the registry marks it dead.

mod heartbeat;
mod list;
mod mark_dead;
mod register;
mod retire;

pub use list::{WorkerFilter, WorkerInfo};
pub use mark_dead::{MarkDead, MarkedDead};
pub use register::{RegisterWorker, Registered};
