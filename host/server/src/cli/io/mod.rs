//! What commands read and write: the API of a host, inputs, output for people and for
//! programs, and exit codes.

mod client;
mod context;
mod escape;
mod exit;
mod format;
mod input;
mod output;
mod pages;
mod request;
mod terminal;
mod unreadable;
mod url;

pub use client::{Answer, Client, Request};
pub use context::{Context, this_binary};
pub use escape::{escape, escape_json, escape_lines};
pub use exit::{Exit, Failure};
pub use format::{format_bytes, format_count, format_duration, format_time};
pub use input::{InputArgs, PayloadArgs, of_extension, read_secret};
pub use output::{OutputLoss, output_loss, to_stderr, to_stdout};
pub use pages::{PageArgs, every_page};
pub use request::{actor, path_of, present};
pub use terminal::{Paint, Terminal};
pub use unreadable::{name_unreadable, name_unreadable_as};
pub use url::URL_DEFAULT;
