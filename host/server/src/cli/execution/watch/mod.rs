//! `flowhost watch`, and what other commands wait with.

mod changes;
mod command;
mod one;

pub use command::{WatchArgs, run};
pub use one::{failure_text, finished, retried, within};
