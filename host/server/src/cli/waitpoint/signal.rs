//! `flowhost signal ID`: sends a signal to an execution that waits for it.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use model::{ExecutionId, SignalEffect};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::DeliveredSignal;
use crate::cli::io::{Context, DryRun, Exit, Failure, PayloadArgs, actor, present, read_secret};
use crate::duration;

/// Arguments of `signal`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost signal ID --name paid --token-file token --input '{\"amount\": 5}'
  flowhost signal ID --name paid --operator --reason 'paid in cash'
  flowhost signal ID --name paid --operator --dry-run")]
#[group(id = "right", required = true, multiple = false, args = ["token", "token_file", "operator"])]
pub struct SignalArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Name of the signal
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The token of its waitpoint; others on this machine may see it here
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// A file with the token, - for standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Send it as an operator, who needs no token
    #[arg(long)]
    operator: bool,
    /// Who sends it, with --operator [default: the user of this process]
    #[arg(long = "as", value_name = "NAME", conflicts_with_all = ["token", "token_file"])]
    actor: Option<String>,
    /// The waitpoint by its id or key, with --operator [default: the only open one]
    #[arg(long, value_name = "WAITPOINT", conflicts_with_all = ["token", "token_file"])]
    waitpoint: Option<String>,
    /// Why, with --operator; kept with the execution
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["token", "token_file"])]
    reason: Option<String>,
    #[command(flatten)]
    payload: PayloadArgs,
    /// Category of the signal
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// Correlation id of the signal
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Idempotency key: makes the command safe to repeat
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// How long the key is remembered [default: 1d]
    #[arg(long, value_name = "DURATION", requires = "key", value_parser = duration::parse)]
    key_ttl: Option<Duration>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, args: SignalArgs) -> Result<Exit, Failure> {
    let mut body = json!({
        "signal_name": args.name,
        "signal_category": args.category,
        "correlation_id": args.correlation_id,
        "idempotency_key": args.key,
        "dedup_ttl_ms": args.key_ttl.map(|it| it.as_millis() as u64),
    });
    let verb = if args.operator {
        body["actor"] = args.actor.or_else(actor).into();
        body["waitpoint"] = args.waitpoint.into();
        body["reason"] = args.reason.into();
        "operator-signal"
    } else {
        let token = match args.token_file {
            Some(path) => Some(read_secret(&path)?),
            None => args.token,
        };
        let actor = actor();
        body["waitpoint_token"] = token.into();
        body["source_type"] = actor.is_some().then_some("cli").into();
        body["source_identity"] = actor.into();
        "signal"
    };
    let path = format!("/v1/executions/{}/{verb}", args.id);
    send(context, &path, body, &args.payload, args.dry_run).await
}

/// Sends a signal or a decision, with its payload if there is one.
pub(super) async fn send(
    context: &Context,
    path: &str,
    mut body: Value,
    payload: &PayloadArgs,
    dry_run: DryRun,
) -> Result<Exit, Failure> {
    if let Some((content_type, data)) = payload.read()? {
        body["content_type"] = content_type.into();
        body["payload_base64"] = STANDARD.encode(data).into();
    }
    let body = present(body);
    let say = |delivered: DeliveredSignal| effect(&delivered).to_owned();
    dry_run.ask(context, Method::POST, path, &body, say).await
}

/// Says what a signal did.
fn effect(delivered: &DeliveredSignal) -> &'static str {
    if delivered.duplicate {
        return "had been accepted before; nothing changed";
    }
    match delivered.effect {
        SignalEffect::ResumeConditionSatisfied => "accepted; the execution resumes",
        SignalEffect::AppendedToWaitpoint => "accepted; the execution waits for more",
        SignalEffect::BufferedForPendingWaitpoint => "accepted; kept until the execution suspends",
        SignalEffect::AppendedToWaitpointDuplicate => {
            "accepted; it adds nothing that the execution waits for"
        }
        SignalEffect::NoOp => "accepted; the execution waits for no signal",
        SignalEffect::SignalIgnoredNotInCondition => {
            "accepted; the execution does not wait at this waitpoint"
        }
        SignalEffect::SignalIgnoredMatcherFailed => {
            "accepted; the execution waits for a signal of another name"
        }
    }
}
