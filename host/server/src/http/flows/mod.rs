//! Flows: made, grown, read, cancelled and labelled, below `/v1/flows`.

pub mod children;
pub mod create;
pub mod edges;
pub mod get;
pub mod graph;
pub mod grow;
pub mod held;
pub mod list;
pub mod members;
pub mod operate;
