//! Lanes and namespaces: what is served, and in which shares.

mod command;
pub mod namespace;

pub use command::{LaneCommand, run};
