//! API keys, and what was done with them.

pub mod audit;
mod bootstrap;
pub mod token;
