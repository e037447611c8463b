//! Executions: created, followed, read, and operated on.

pub mod cancel;
mod filter;
pub mod list;
pub mod operate;
pub mod overrides;
pub mod result;
pub mod show;
pub mod submit;
pub mod tag;
pub mod watch;
