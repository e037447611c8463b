//! `flowhost approve ID`: approves or rejects an execution that waits for approval.

use clap::Args;
use model::ExecutionId;
use serde_json::json;

use super::signal::send;
use crate::cli::io::{Context, DryRun, Exit, Failure, PayloadArgs, actor};

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Reject instead of approving
    #[arg(long)]
    reject: bool,
    /// Who decides; each counts once [default: the user of this process]
    #[arg(long = "as", value_name = "NAME")]
    actor: Option<String>,
    /// The waitpoint by its id or key [default: the only open one]
    #[arg(long, value_name = "WAITPOINT")]
    waitpoint: Option<String>,
    /// Why; kept with the execution
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    payload: PayloadArgs,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, args: ApproveArgs) -> Result<Exit, Failure> {
    let body = json!({
        "actor": args.actor.or_else(actor),
        "waitpoint": args.waitpoint,
        "reason": args.reason,
    });
    let verb = if args.reject { "reject" } else { "approve" };
    let path = format!("/v1/executions/{}/{verb}", args.id);
    send(context, &path, body, &args.payload, args.dry_run).await
}
