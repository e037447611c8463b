//! `flowhost submit KIND`: creates an execution, and can wait for its result.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::Method;

use super::result::{arrived, reads_again, write_result};
use super::watch::{failure_text, finished};
use crate::api::{CreatedExecution, Execution};
use crate::cli::io::{Client, Context, Exit, Failure, InputArgs, Request, to_stderr};
use crate::duration;

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// Kind, which names the handler it needs
    kind: String,
    #[command(flatten)]
    input: InputArgs,
    /// Wait until it ends and print its result; the exit code is its outcome
    #[arg(long, short)]
    wait: bool,
    /// Write the result to this file instead (implies --wait)
    #[arg(long, short, value_name = "FILE")]
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
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    delay: Option<Duration>,
    /// The policy, as JSON
    #[arg(long, value_name = "JSON")]
    policy: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: SubmitArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let request = args.request()?;
    let answer = client.send(Method::POST, "/v1/executions", request).await?;
    let created: CreatedExecution = answer.read()?;
    if !args.wait && args.output.is_none() {
        if !context.prints_json(&answer) {
            context.line(&created.id.to_string());
        }
        let became = format!("the execution is {}", created.id);
        return arrived(&became).map(|()| Exit::Ok);
    }
    // The result goes to standard output, so the rest goes elsewhere.
    to_stderr(&format!("execution {}", created.id));
    let (info, answer) = finished(&client, created.id)
        .await
        .map_err(|failure| failure.about(created.id))?;
    context.prints_json(&answer);
    finish(context, &client, &info, args.output.as_deref())
        .await
        .map_err(|failure| failure.about(created.id))
}

impl SubmitArgs {
    fn request(&self) -> Result<Request, Failure> {
        let mut query = vec![("kind", self.kind.clone())];
        query.extend(self.lane.clone().map(|it| ("lane", it)));
        query.extend(self.namespace.clone().map(|it| ("namespace", it)));
        query.extend(self.priority.map(|it| ("priority", it.to_string())));
        query.extend(self.policy.clone().map(|it| ("policy", it)));
        query.extend(
            self.delay
                .map(|it| ("delay_ms", it.as_millis().to_string())),
        );
        for tag in &self.tags {
            let (key, value) = tag
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("--tag {tag}: write owner.name=value")))?;
            query.push(("tag", format!("{key}:{value}")));
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
