//! `flowhost cancel ID`: ends an execution, also one that runs.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::operate::{Which, tell};
use crate::api::CancelledExecution;
use crate::cli::io::{Context, Exit, Failure};

/// Arguments of `cancel`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost cancel ID --reason 'ordered twice'
  flowhost cancel ID --dry-run")]
pub struct CancelArgs {
    #[command(flatten)]
    which: Which,
    /// On whose behalf, such as the name of a program [default: operator_override]
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: CancelArgs) -> Result<Exit, Failure> {
    let body = json!({"source": args.source});
    let say = |cancelled: CancelledExecution| {
        let line = match (cancelled.already, cancelled.was_active) {
            (true, _) => "was cancelled before",
            (false, true) => "cancelled; it was running and lost its lease",
            (false, false) => "cancelled",
        };
        line.to_owned()
    };
    tell(context, Method::POST, "cancel", args.which, body, say).await
}
