//! Processes of a cluster: how they are spawned, found and ended.

mod child;
mod list;
mod sweep;

pub(crate) use child::command;
pub(crate) use sweep::{end_abandoned, end_orphans, postmaster_pid};
