//! `flowhost signal` and `flowhost approve`: what suspended executions wait for,
//! sent by hand.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use model::{ExecutionId, SignalEffect};
use reqwest::Method;
use serde_json::{Map, Value};

use super::Context;
use super::exit::{Exit, Failure};
use super::input::{PayloadArgs, read_secret};
use super::operate::{actor, fields};
use crate::api::DeliveredSignal;

/// Arguments of `signal`.
#[derive(Debug, Args)]
#[group(id = "right", required = true, multiple = false, args = ["token", "token_file", "operator"])]
pub struct SignalArgs {
    /// The execution
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
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// What it is linked to
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Idempotency key: makes the command repeatable
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The execution
    id: ExecutionId,
    /// Say no instead
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
}

/// Runs `signal`.
pub async fn signal(context: &Context, args: SignalArgs) -> Result<Exit, Failure> {
    let mut body = payload(&args.payload)?;
    body.extend(fields([
        ("signal_name", Some(args.name)),
        ("signal_category", args.category),
        ("correlation_id", args.correlation_id),
        ("idempotency_key", args.key),
    ]));
    let verb = if args.operator {
        body.extend(fields([
            ("actor", args.actor.or_else(actor)),
            ("waitpoint", args.waitpoint),
            ("reason", args.reason),
        ]));
        "operator-signal"
    } else {
        let token = match args.token_file {
            Some(path) => Some(read_secret(&path)?),
            None => args.token,
        };
        let actor = actor();
        let source_type = actor.is_some().then(|| "cli".to_owned());
        body.extend(fields([
            ("waitpoint_token", token),
            ("source_type", source_type),
            ("source_identity", actor),
        ]));
        "signal"
    };
    send(context, args.id, verb, &body).await
}

/// Runs `approve`.
pub async fn approve(context: &Context, args: ApproveArgs) -> Result<Exit, Failure> {
    let mut body = payload(&args.payload)?;
    body.extend(fields([
        ("actor", args.actor.or_else(actor)),
        ("waitpoint", args.waitpoint),
        ("reason", args.reason),
    ]));
    let verb = if args.reject { "reject" } else { "approve" };
    send(context, args.id, verb, &body).await
}

fn payload(args: &PayloadArgs) -> Result<Map<String, Value>, Failure> {
    Ok(match args.read()? {
        None => Map::new(),
        Some((content_type, data)) => fields([
            ("content_type", content_type),
            ("payload_base64", STANDARD.encode(data)),
        ]),
    })
}

async fn send(
    context: &Context,
    id: ExecutionId,
    verb: &str,
    body: &Map<String, Value>,
) -> Result<Exit, Failure> {
    let path = format!("/v1/executions/{id}/{verb}");
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, body).await?;
    if context.json {
        context.terminal.json(&answer.text());
    } else {
        context.terminal.line(said(&answer.read()?));
    }
    Ok(Exit::Ok)
}

fn said(delivered: &DeliveredSignal) -> &'static str {
    if delivered.duplicate {
        return "had been accepted before; nothing changed";
    }
    match delivered.effect {
        SignalEffect::ResumeConditionSatisfied => "accepted; the execution goes on",
        SignalEffect::AppendedToWaitpoint => "accepted; it waits for more",
        SignalEffect::BufferedForPendingWaitpoint => "accepted; kept until the execution suspends",
        SignalEffect::AppendedToWaitpointDuplicate => {
            "accepted; it brings nothing that was missing"
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
