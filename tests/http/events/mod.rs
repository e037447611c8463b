//! Events over HTTP: by pages, by long polls and as a stream.

mod pages;
mod read;
mod refused;
pub(in crate::http) mod stream;
mod streams;
