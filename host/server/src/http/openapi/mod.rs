//! `/openapi.json`: the API's own description.
//!
//! It is put together from the descriptions of all routes, and then finished so that
//! generators of clients read all of it.

mod bounds;
pub mod document;
mod problems;
mod unions;

pub use document::document;
