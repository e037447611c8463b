//! Lanes and namespaces: what is served, and in which shares.

pub mod list;
pub mod namespaces;
