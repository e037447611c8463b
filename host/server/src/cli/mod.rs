//! The command line, a folder or a file per noun.
//!
//! `dev`, `serve`, `migrate`, `invoke`, `bench` and `doctor` work in this process; the
//! others send requests to a host. [`command`] lists them all, [`run`] dispatches them,
//! and [`io`] is what they read and write.

mod access;
mod bench;
mod command;
mod component;
mod doctor;
#[cfg(test)]
mod documented;
mod event;
mod execution;
mod flow;
mod host;
mod invoke;
mod io;
mod lane;
mod login;
mod profile;
mod run;
mod stream;
mod waitpoint;
mod webhook;
mod worker;

pub use command::commands;
pub use flow::schema as flow_schema;
pub use io::Exit;
pub use run::main;
