//! `flowhost cancel ID`: ends an execution, also one that runs.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::operate::{Which, send};
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
    let dry_run = args.which.dry_run;
    let body = json!({"source": args.source});
    let answer = send(context, Method::POST, "cancel", args.which, body).await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let cancelled: CancelledExecution = answer.read()?;
    let line = if cancelled.already {
        "was cancelled before"
    } else if cancelled.was_active {
        "cancelled; it was running and lost its lease"
    } else {
        "cancelled"
    };
    dry_run.line(context, line);
    Ok(Exit::Ok)
}
