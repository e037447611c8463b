//! Components, and which of them handles which kind.

pub mod kinds;
pub mod list;
pub mod publish;
