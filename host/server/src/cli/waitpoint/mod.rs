//! Waitpoints: signals sent to them, and the keys of their tokens.

pub mod approve;
pub mod key;
pub mod list;
mod manage;
pub mod signal;
