//! Executions: created, followed, read, and operated on.

pub mod batch;
pub mod cancel;
pub mod filter;
pub mod list;
pub mod listed;
pub mod operate;
pub mod overrides;
pub mod result;
pub mod show;
pub mod stored;
pub mod submit;
pub mod suspended;
pub mod tag;
pub mod wait_children;
pub mod watch;

pub use wait_children::WaitArgs;
