//! Leases: claiming work for workers outside, and what they do with what they hold.

pub mod append;
pub mod claim;
pub mod expired;
pub mod suspend;
pub mod verbs;
