//! `flowhost flow`: graphs of executions.

mod children;
mod command;
mod draw;
mod file;
mod list;
mod operate;
mod show;
mod submit;

pub use children::{StartChildrenArgs, result, results, start};
pub use command::{FlowCommand, run};
pub use file::schema;
