//! Runs a guest in a fresh sandbox: a handler for one attempt, a service for as
//! long as it likes.
//!
//! A sandbox is a store of its own with nothing of an earlier one in it. One
//! deadline bounds a handler's instantiation, call and everything it waits for:
//! an epoch callback stops guests that compute, and the same question asked
//! asynchronously stops guests that wait in the host. A service is stopped the
//! same two ways when it is told to. Ticks also make a guest yield, so that none
//! keeps a thread for itself.

mod end;
mod handler;
mod service;
mod setup;
mod trap;
pub(crate) mod verdict;

pub use end::AttemptEnd;
pub(crate) use end::{Phase, Verdict};
pub(crate) use handler::run;
pub(crate) use service::serve;
pub(crate) use setup::SandboxSetup;
