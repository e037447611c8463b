//! Hosts in this process, and the database they need.

mod args;
mod demo;
pub mod dev;
mod load;
pub mod migrate;
mod samples;
pub mod serve;

pub use args::{ConfigArgs, HostArgs};
pub use load::publish_file;
