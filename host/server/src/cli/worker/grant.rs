//! `flowhost grant`: claims in two steps, as a scheduler outside makes them. A grant is
//! issued to a worker, and the worker turns it into a lease.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Subcommand};
use model::ExecutionId;
use reqwest::Method;

use super::command::path;
use super::lease::{LeaseTtl, claimed_lines};
use crate::api::{ClaimForWorker, ClaimedExecution, GrantFor, GrantedClaim, IssuedGrant, Redeem};
use crate::cli::io::{Context, Exit, Failure, escape, format_time};
use crate::duration;

/// What is done with grants.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// Grant a waiting execution to a worker; `lane eligible` lists those that wait
    Issue(IssueArgs),
    /// Grant the first execution of a lane that fits a worker
    Next(NextArgs),
    /// Turn a grant into a lease
    Redeem(RedeemArgs),
}

/// The worker that gets a grant.
#[derive(Debug, Args)]
struct GrantTo {
    /// Name of the worker, the same over its restarts
    #[arg(long, value_name = "NAME")]
    worker: String,
    /// Name of its process, which will hold the lease
    #[arg(long, value_name = "NAME")]
    instance: String,
    /// A capability of the worker; may repeat
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// How long the grant holds, up to 1m
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    ttl: Duration,
}

/// Arguments of `grant issue`.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Id of the execution
    execution: ExecutionId,
    #[command(flatten)]
    to: GrantTo,
    /// Grant an execution whose holder was lost
    #[arg(long)]
    reclaim: bool,
}

/// Arguments of `grant next`.
#[derive(Debug, Args)]
pub struct NextArgs {
    /// Name of the lane
    lane: String,
    #[command(flatten)]
    to: GrantTo,
    /// A kind that the worker can run; may repeat [default: any]
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
}

/// Arguments of `grant redeem`.
#[derive(Debug, Args)]
pub struct RedeemArgs {
    /// The grant, as it was issued
    grant: String,
    /// Redeem one that was issued with --reclaim
    #[arg(long)]
    reclaim: bool,
    #[command(flatten)]
    ttl: LeaseTtl,
}

/// Runs the command.
pub async fn run(context: &Context, command: GrantCommand) -> Result<Exit, Failure> {
    match command {
        GrantCommand::Issue(args) => issue(context, args).await,
        GrantCommand::Next(args) => next(context, args).await,
        GrantCommand::Redeem(args) => redeem(context, args).await,
    }
}

impl GrantTo {
    fn capabilities(&self) -> BTreeSet<String> {
        self.capabilities.iter().cloned().collect()
    }

    fn ttl_ms(&self) -> u32 {
        u32::try_from(self.ttl.as_millis()).unwrap_or(u32::MAX)
    }
}

async fn issue(context: &Context, args: IssueArgs) -> Result<Exit, Failure> {
    let kind = if args.reclaim { "reclaim" } else { "claim" };
    let body = GrantFor {
        capabilities: args.to.capabilities(),
        grant_ttl_ms: args.to.ttl_ms(),
        worker_id: args.to.worker,
        worker_instance_id: args.to.instance,
    };
    let path = format!("/v1/executions/{}/{kind}-grant", args.execution);
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, &body).await?;
    context.answered(&answer, |grant: IssuedGrant| show(context, &grant))
}

async fn next(context: &Context, args: NextArgs) -> Result<Exit, Failure> {
    let path = format!("{}/claim-grant", path(&args.to.instance));
    let kinds: BTreeSet<String> = args.kinds.into_iter().collect();
    let body = ClaimForWorker {
        lane: args.lane,
        capabilities: args.to.capabilities(),
        grant_ttl_ms: args.to.ttl_ms(),
        worker_id: args.to.worker,
        kinds: Some(kinds).filter(|kinds| !kinds.is_empty()),
    };
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, &body).await?;
    context.answered(&answer, |claim: GrantedClaim| match claim.granted {
        Some(grant) => show(context, &grant),
        None => context.line("nothing fits the worker"),
    })
}

fn show(context: &Context, grant: &IssuedGrant) {
    let until = format_time(grant.expires_at);
    let id = grant.execution_id;
    context.line(&format!("{} grant of {id} until {until}", grant.kind));
    context.line(&escape(&grant.grant));
}

async fn redeem(context: &Context, args: RedeemArgs) -> Result<Exit, Failure> {
    let kind = if args.reclaim { "reclaim" } else { "claim" };
    let body = Redeem {
        grant: args.grant,
        capability_hash: None,
        lease_ttl_ms: args.ttl.ms(),
    };
    let path = format!("/v1/grants/{kind}");
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, &body).await?;
    context.answered(&answer, |claimed: ClaimedExecution| {
        claimed_lines(context, &claimed);
    })
}
