//! Lists: what belongs to an execution, and executions in all states with what a list of
//! them must show.

pub(crate) mod events;
mod parts;
pub(crate) mod population;

pub(crate) use parts::{attempts, history, operations, signals, suspensions, waitpoints};
