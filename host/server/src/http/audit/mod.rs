//! What credentials did, and requests whose credential was not accepted.

pub mod list;
