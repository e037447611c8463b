//! What operators ask of an execution: `replay`, `hold`, `unhold`, `priority`,
//! `revoke`, `resume`, `expire`, `block` and `unblock`. Who asks is kept with the
//! execution.

use std::time::Duration;

use clap::Args;
use model::{AlreadySatisfied, BlockingReason, ExecutionId, LeaseId};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::{Execution, RevokedExecution};
use crate::cli::io::{Answer, Context, DryRun, Exit, Failure, Paint, actor, present};
use crate::duration;

/// Which execution, and why.
#[derive(Debug, Args)]
pub struct Which {
    /// Id of the execution
    pub id: ExecutionId,
    /// Why, for people; kept with the execution
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// Arguments of `priority`.
#[derive(Debug, Args)]
pub struct PriorityArgs {
    #[command(flatten)]
    which: Which,
    /// 0 to 9000; a higher one is served first
    priority: u16,
}

/// Arguments of `revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    which: Which,
    /// Only if it holds this lease
    #[arg(long, value_name = "ID")]
    lease: Option<LeaseId>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    which: Which,
    /// How long it waits before it is ready, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    delay: Option<Duration>,
}

/// Arguments of `expire`.
#[derive(Debug, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    which: Which,
    /// Code of its failure: expired, attempt_timeout or execution_deadline [default: expired]
    #[arg(long, value_name = "CODE")]
    expire_reason: Option<String>,
}

/// Arguments of `block`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost block ID waiting_for_quota --detail 'until midnight'
  flowhost unblock ID --expect waiting_for_quota

It keeps its place in the queue. hold and unhold are these for the reason of an operator.")]
pub struct BlockArgs {
    #[command(flatten)]
    which: Which,
    /// What it waits for, such as waiting_for_quota or paused_by_policy
    blocking_reason: String,
    /// More about the reason, for people
    #[arg(long, value_name = "TEXT")]
    detail: Option<String>,
}

/// Arguments of `unblock`.
#[derive(Debug, Args)]
pub struct UnblockArgs {
    #[command(flatten)]
    which: Which,
    /// Only if it waits for this
    #[arg(long, value_name = "REASON")]
    expect: Option<String>,
}

/// Runs an operation that needs nothing but the execution.
pub async fn plain(context: &Context, verb: &str, which: Which) -> Result<Exit, Failure> {
    ask(context, Method::POST, verb, which, json!({})).await
}

/// Runs `priority`.
pub async fn priority(context: &Context, args: PriorityArgs) -> Result<Exit, Failure> {
    let body = json!({"priority": args.priority});
    ask(context, Method::PUT, "priority", args.which, body).await
}

/// Runs `revoke`.
pub async fn revoke(context: &Context, args: RevokeArgs) -> Result<Exit, Failure> {
    let body = json!({"expected_lease_id": args.lease});
    let say = |revoked: RevokedExecution| {
        let how = match revoked.already {
            None => "revoked",
            Some(AlreadySatisfied::AlreadyRevoked) => "was revoked before",
            Some(AlreadySatisfied::AlreadyExpired) => "had expired before",
        };
        let (lease, epoch) = (revoked.lease_id, revoked.epoch);
        format!("lease {lease} (epoch {epoch}): {how}")
    };
    tell(context, Method::POST, "revoke-lease", args.which, body, say).await
}

/// Runs `resume`.
pub async fn resume(context: &Context, args: ResumeArgs) -> Result<Exit, Failure> {
    let body = json!({"delay_ms": args.delay.map(|it| it.as_millis() as u64)});
    ask(context, Method::POST, "resume", args.which, body).await
}

/// Runs `expire`.
pub async fn expire(context: &Context, args: ExpireArgs) -> Result<Exit, Failure> {
    let body = json!({"expire_reason": args.expire_reason});
    ask(context, Method::POST, "expire", args.which, body).await
}

/// Runs `block`.
pub async fn block(context: &Context, args: BlockArgs) -> Result<Exit, Failure> {
    let body = json!({"blocking_reason": args.blocking_reason, "detail": args.detail});
    ask(context, Method::POST, "block", args.which, body).await
}

/// Runs `unblock`.
pub async fn unblock(context: &Context, args: UnblockArgs) -> Result<Exit, Failure> {
    let body = json!({"expected_reason": args.expect});
    ask(context, Method::POST, "unblock", args.which, body).await
}

/// Sends an operation, with who asks and why.
pub(super) async fn send(
    context: &Context,
    method: Method,
    verb: &str,
    which: Which,
    body: Value,
) -> Result<Answer, Failure> {
    let path = format!("/v1/executions/{}/{verb}", which.id);
    let mut body = present(body);
    body.extend(present(json!({"actor": actor(), "reason": which.reason})));
    which.dry_run.send(context, method, &path, &body).await
}

/// Sends an operation that is answered with the execution, and shows the state of that.
pub(super) async fn ask(
    context: &Context,
    method: Method,
    verb: &str,
    which: Which,
    body: Value,
) -> Result<Exit, Failure> {
    let say = |info: Execution| {
        let color = Paint::of_state(info.public_state);
        let state = context.terminal.paint(color, info.public_state.as_str());
        match info.blocking_reason {
            BlockingReason::None => format!("{} is {state}", info.id),
            reason => format!("{} is {state} ({reason})", info.id),
        }
    };
    tell(context, method, verb, which, body, say).await
}

/// Sends an operation, and shows with the line that `say` makes of the answer what it did.
pub(super) async fn tell<T: DeserializeOwned>(
    context: &Context,
    method: Method,
    verb: &str,
    which: Which,
    body: Value,
    say: impl FnOnce(T) -> String,
) -> Result<Exit, Failure> {
    let dry_run = which.dry_run;
    let answer = send(context, method, verb, which, body).await?;
    context.answered(&answer, |it| dry_run.line(context, &say(it)))
}
