//! The bounds of requests, as the description of the API has them.

mod bounds;
mod requests;
