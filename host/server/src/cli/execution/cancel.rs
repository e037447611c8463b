//! `flowhost cancel ID`: ends an execution, also one that runs.

use clap::Args;
use model::ExecutionId;
use reqwest::Method;

use crate::api::{CancelExecution, CancelledExecution};
use crate::cli::io::{Context, Exit, Failure, actor};

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Why, in words for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: CancelArgs) -> Result<Exit, Failure> {
    let path = format!("/v1/executions/{}/cancel", args.id);
    let body = CancelExecution {
        source: None,
        actor: actor(),
        reason: args.reason,
    };
    let answer = context
        .client()?
        .send_json(Method::POST, &path, &body)
        .await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let cancelled: CancelledExecution = answer.read()?;
    context.line(if cancelled.already {
        "was cancelled before"
    } else if cancelled.was_active {
        "cancelled; it was running and lost its lease"
    } else {
        "cancelled"
    });
    Ok(Exit::Ok)
}
