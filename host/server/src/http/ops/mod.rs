//! Health and metrics.

pub mod health;
pub mod login;
pub mod metrics;
