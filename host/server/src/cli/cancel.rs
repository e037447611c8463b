//! `flowhost cancel ID`: ends an execution, also one that runs.

use clap::Args;
use model::ExecutionId;
use reqwest::Method;

use super::Context;
use super::exit::{Exit, Failure};
use crate::api::{CancelExecution, CancelledExecution};

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The execution
    id: ExecutionId,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: CancelArgs) -> Result<Exit, Failure> {
    let path = format!("/v1/executions/{}/cancel", args.id);
    let body = CancelExecution {
        source: None,
        actor: super::operate::actor(),
        reason: args.reason,
    };
    let answer = context
        .client()?
        .send_json(Method::POST, &path, &body)
        .await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let cancelled: CancelledExecution = answer.read()?;
    context.terminal.line(if cancelled.already {
        "was cancelled before"
    } else if cancelled.was_active {
        "cancelled; it was running and lost its lease"
    } else {
        "cancelled"
    });
    Ok(Exit::Ok)
}
