//! The interface `flows`: graphs of executions.
//!
//! A graph is used up by the call it is passed to, so that each member costs its guest a
//! call of its own.

mod graph;
mod interface;
mod new_flow;
mod refusal;

pub use graph::Graph;
pub use new_flow::NewFlow;
