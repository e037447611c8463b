//! The registry of workers.

pub mod registry;
