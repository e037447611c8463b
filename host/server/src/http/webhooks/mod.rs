//! Webhooks: made, listed, changed, paused, resumed, tried and deleted.

pub mod change;
pub mod list;
