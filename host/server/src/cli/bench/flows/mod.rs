//! Flows: chains, a member that a thousand others wait for, cancellations, and large graphs
//! that are submitted at once.

mod cancel;
mod chain;
mod fan;
mod graph;
mod level;
mod measure;
mod submit;

pub use measure::{Flows, Plan, measure};
