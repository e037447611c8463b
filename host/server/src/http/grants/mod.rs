//! Grants: claims in two steps, for schedulers outside.

pub mod issue;
pub mod redeem;
