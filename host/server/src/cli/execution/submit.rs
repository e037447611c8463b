//! `flowhost submit KIND`: creates an execution, and can wait for its result.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use model::ExecutionId;
use reqwest::Method;

use super::filter::tag_query;
use super::result::{arrived, reads_again, write_result};
use super::watch::{failure_text, finished, within};
use crate::api::{CreatedExecution, Execution};
use crate::cli::io::{
    Client, Context, DryRun, Exit, Failure, InputArgs, Request, interruptible, read_text, to_stderr,
};
use crate::duration;

/// Arguments of `submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost submit thumbnail --file photo.jpg --wait --output small.jpg
  flowhost submit echo --input '{\"n\": 1}' --key order-1 --delay 5m
  flowhost submit echo --input 1 --policy '{\"retry_policy\": {\"max_retries\": 0}}'
  flowhost submit echo --input 1 --deadline 2030-01-31T18:00:00Z --dry-run

The id is printed; with --wait, the result. The exit code is then that of the outcome.")]
pub struct SubmitArgs {
    /// Kind, which names the handler it needs
    kind: String,
    #[command(flatten)]
    input: InputArgs,
    /// Wait until it ends and print its result; the exit code is its outcome
    #[arg(long, short, conflicts_with = "dry_run")]
    wait: bool,
    /// Write the result to this file instead (implies --wait)
    #[arg(long, short, value_name = "FILE", conflicts_with = "dry_run")]
    output: Option<PathBuf>,
    /// Lane to queue it in
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Namespace it belongs to
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// 0 to 9000; a higher one is served first
    #[arg(long, value_name = "N")]
    priority: Option<u16>,
    /// Idempotency key: makes the command safe to repeat
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A label, owner.name=value; may repeat
    #[arg(long = "tag", value_name = "K=V")]
    tags: Vec<String>,
    /// How long it waits before it is ready, such as 5s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "delay_until")]
    delay: Option<Duration>,
    /// Time before which it is not ready, such as 2030-01-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    delay_until: Option<String>,
    /// Time at which it expires unless it has ended, such as 2030-01-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// The policy, as JSON; `flowhost policy` shows that of an execution
    #[arg(long, value_name = "JSON", conflicts_with = "policy_file")]
    policy: Option<String>,
    /// A file with the policy in JSON
    #[arg(long, value_name = "FILE")]
    policy_file: Option<PathBuf>,
    /// Who creates it, for people
    #[arg(long, value_name = "TEXT")]
    creator: Option<String>,
    /// An id of your choice, a version 7 UUID with the number of a partition
    #[arg(long, value_name = "ID")]
    id: Option<ExecutionId>,
    /// With --wait, give up after so long; the execution continues
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = duration::parse)]
    timeout: Option<Duration>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, mut args: SubmitArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    args.namespace = context.namespace(args.namespace);
    let request = args.request()?;
    // Not with `Prefer: wait`: if the host ended meanwhile, the id would not be known.
    let answer = client.send(Method::POST, "/v1/executions", request).await?;
    let created: CreatedExecution = answer.read()?;
    if args.dry_run.is_asked() {
        if !context.prints_json(&answer) {
            args.dry_run.line(context, &rehearsed(&created));
        }
        return Ok(Exit::Ok);
    }
    if !args.wait && args.output.is_none() {
        if !context.prints_json(&answer) {
            context.line(&created.id.to_string());
        }
        let became = format!("the execution is {}", created.id);
        return arrived(&became).map(|()| Exit::Ok);
    }
    // The result goes to standard output, so the rest goes elsewhere.
    to_stderr(&format!("execution {}", created.id));
    let (info, answer) = interruptible(within(args.timeout, finished(&client, created.id)))
        .await
        .map_err(|failure| failure.about(created.id))?;
    context.prints_json(&answer);
    finish(context, &client, &info, args.output.as_deref())
        .await
        .map_err(|failure| failure.about(created.id))
}

/// Says what a dry run found.
fn rehearsed(created: &CreatedExecution) -> String {
    match created.state {
        Some(state) => format!("it would be created, {state}"),
        None => format!("it exists already as {}", created.id),
    }
}

impl SubmitArgs {
    fn policy(&self) -> Result<Option<String>, Failure> {
        match &self.policy_file {
            Some(path) => read_text(path).map(Some),
            None => Ok(self.policy.clone()),
        }
    }

    fn request(&self) -> Result<Request, Failure> {
        let mut query = vec![("kind", self.kind.clone())];
        query.extend(self.lane.clone().map(|it| ("lane", it)));
        query.extend(self.namespace.clone().map(|it| ("namespace", it)));
        query.extend(self.priority.map(|it| ("priority", it.to_string())));
        query.extend(self.policy()?.map(|it| ("policy", it)));
        query.extend(self.delay_until.clone().map(|it| ("delay_until", it)));
        query.extend(self.deadline.clone().map(|it| ("deadline_at", it)));
        query.extend(self.creator.clone().map(|it| ("creator", it)));
        query.extend(self.id.map(|it| ("id", it.to_string())));
        query.extend(self.dry_run.query());
        query.extend(
            self.delay
                .map(|it| ("delay_ms", it.as_millis().to_string())),
        );
        for tag in &self.tags {
            query.push(tag_query(tag)?);
        }
        let headers = self.key.clone().map(|key| ("idempotency-key", key));
        Ok(Request {
            query,
            headers: headers.into_iter().collect(),
            body: Some(self.input.read()?),
        })
    }
}

/// Shows how an execution ended: its result, or why there is none.
async fn finish(
    context: &Context,
    client: &Client,
    info: &Execution,
    output: Option<&Path>,
) -> Result<Exit, Failure> {
    let exit = Exit::of_state(info.public_state);
    if exit != Exit::Ok {
        to_stderr(&format!("{}{}", info.public_state, failure_text(info)));
        return Ok(exit);
    }
    if context.json && output.is_none() {
        return arrived(&reads_again(info.id)).map(|()| exit);
    }
    write_result(context, client, info.id, output).await?;
    Ok(exit)
}
