//! `flowhost show ID`: one execution with its attempts, logs and usage, what it waits and
//! waited for, and what operators did to it.

mod parts;
mod run;
mod waiting;

pub(super) use parts::{attempt, operations};
pub use run::{ShowArgs, run};
pub(super) use waiting::{signals, suspensions};
