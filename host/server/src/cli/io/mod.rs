//! What commands read and write: the API of a host, inputs, output for people and for
//! programs, and exit codes.

mod client;
mod context;
mod credentials;
mod dry_run;
mod escape;
mod exit;
mod failure;
mod format;
mod input;
mod interrupt;
mod output;
mod pages;
mod request;
mod terminal;
mod url;

pub use client::{Answer, Client, Request, Target};
pub use context::{Context, this_binary};
pub use credentials::{
    ApiKey, Issuer, PrivateFile, Secrets, StoredToken, TokenAnswer, Tokens, is_resource,
};
pub use dry_run::DryRun;
pub use escape::{escape, escape_json, escape_lines};
pub use exit::Exit;
pub use failure::Failure;
pub use format::{format_bytes, format_count, format_duration, format_time};
pub use input::{InputArgs, PayloadArgs, of_extension, read_secret, read_stdin, read_text};
pub use interrupt::interruptible;
pub use output::{OutputLoss, output_loss, to_stderr, to_stdout};
pub use pages::{PageArgs, REQUESTS_MAX, every_page, name_unreadable};
pub use request::{actor, path_of, present};
pub use terminal::{Paint, Terminal};
pub use url::{URL_DEFAULT, check_url, same_host};
