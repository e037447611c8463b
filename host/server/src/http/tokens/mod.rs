//! API keys: made, listed, rotated and revoked.

pub mod change;
pub mod list;
