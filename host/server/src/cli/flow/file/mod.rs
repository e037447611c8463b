//! Files of flows, in YAML or JSON: read with their places, checked, and turned into the body
//! of a request.

mod document;
mod fields;
mod schema;
mod tree;

pub use document::{Document, Form, read};
pub use schema::schema;
