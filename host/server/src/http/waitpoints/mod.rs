//! Waitpoints, their tokens, and the keys those are signed with.

pub mod keys;
pub mod list;
pub mod operate;
