//! Behavior across the parts of flowhost, on a real database, with real
//! components and real processes. One binary, so that everything is linked once.

mod cli;
mod engine;
mod guests;
mod http;
mod reliability;
mod repository;
mod support;
