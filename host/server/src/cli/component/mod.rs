//! `flowhost component`: publishes, lists and shows components.

mod command;
mod list;
mod progress;
mod publish;

pub use command::{ComponentCommand, run};
pub use progress::PublishingProgress;
