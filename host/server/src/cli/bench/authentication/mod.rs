//! What authentication costs: a request with an API key that the host remembers, beside the
//! same request where no credential is required and beside health checks; and right keys
//! while others try wrong ones.

mod connection;
mod cost;
mod measure;
mod wrong_keys;

pub use measure::{Authentication, measure};
