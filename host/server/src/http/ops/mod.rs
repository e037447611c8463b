//! Health and metrics.

pub mod counters;
pub mod health;
pub mod login;
pub mod metrics;
