//! `flowhost webhook`: events that are sent to URLs.

mod change;
mod command;
mod show;

pub use command::{WebhookCommand, run};
