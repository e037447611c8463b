//! `flowhost waitpoints close` and `token`: closes a waitpoint, and mints a token for it.

use std::time::Duration;

use clap::{Args, Subcommand};
use model::ExecutionId;
use reqwest::Method;

use crate::api::{Execution, MintWaitpointToken, MintedWaitpointToken, OperateExecution};
use crate::cli::io::{Context, DryRun, Exit, Failure, actor, escape, path_of};
use crate::duration;

/// What is done to a waitpoint.
#[derive(Debug, Subcommand)]
pub enum WaitpointCommand {
    /// Close a waitpoint, so that it accepts no more signals
    Close {
        #[command(flatten)]
        which: Which,
    },
    /// Mint another token for a waitpoint, and the URL to post to
    Token(TokenArgs),
}

/// Which waitpoint, and why.
#[derive(Debug, Args)]
pub struct Which {
    /// Id of the execution
    execution: ExecutionId,
    /// Its waitpoint, by id or key
    waitpoint: String,
    /// Why; kept with the execution
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Arguments of `waitpoints token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    which: Which,
    /// Name of the signals it may send; may repeat [default: any]
    #[arg(long = "signal", value_name = "NAME")]
    signal_names: Vec<String>,
    /// How long it holds [default: as long as its waitpoint and its key]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires_in: Option<Duration>,
}

pub(super) async fn close(context: &Context, which: Which) -> Result<Exit, Failure> {
    let path = which.path("close")?;
    let body = OperateExecution {
        actor: actor(),
        reason: which.reason,
    };
    let say = |info: Execution| format!("closed; {} is {}", info.id, info.public_state);
    which
        .dry_run
        .ask(context, Method::POST, &path, &body, say)
        .await
}

pub(super) async fn token(context: &Context, args: TokenArgs) -> Result<Exit, Failure> {
    let path = args.which.path("token")?;
    let body = MintWaitpointToken {
        signal_names: args.signal_names,
        expires_in_ms: args.expires_in.map(|it| it.as_millis() as u64),
        actor: actor(),
        reason: args.which.reason,
    };
    let dry_run = args.which.dry_run;
    let answer = dry_run.send(context, Method::POST, &path, &body).await?;
    context.answered(&answer, |minted: MintedWaitpointToken| {
        if dry_run.is_asked() {
            let key = escape(&minted.waitpoint_key);
            dry_run.line(context, &format!("a token for {key} would be minted"));
            return;
        }
        context.line(&escape(&minted.waitpoint_token));
        context.line(&escape(&minted.callback_url));
    })
}

impl Which {
    fn path(&self, verb: &str) -> Result<String, Failure> {
        // These lead up in a path, however they are written.
        if matches!(self.waitpoint.as_str(), "" | "." | "..") {
            return Err(Failure::usage("name this waitpoint by its id"));
        }
        let collection = format!("/v1/executions/{}/waitpoints", self.execution);
        Ok(format!("{}/{verb}", path_of(&collection, &self.waitpoint)))
    }
}
