//! `flowhost component` and `flowhost kind`: publishes, lists and shows components, and
//! routes kinds to them.

mod command;
pub mod kind;
mod list;
mod progress;
mod publish;

pub use command::{ComponentCommand, run};
pub use progress::PublishingProgress;
