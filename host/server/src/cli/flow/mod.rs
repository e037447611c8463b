//! `flowhost flow`: graphs of executions.

mod command;
mod draw;
mod file;
mod list;
mod operate;
mod show;
mod submit;

pub use command::{FlowCommand, run};
pub use file::schema;
