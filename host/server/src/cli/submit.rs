//! `flowhost submit KIND`: creates an execution, and can wait for its result.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::ExecutionInfo;
use reqwest::Method;

use super::client::{Answer, Client, Request};
use super::exit::{Exit, Failure};
use super::input::InputArgs;
use super::terminal::{complain, emit, neutralise, neutralise_lines, size};
use super::{Context, watch};
use crate::api::CreatedExecution;
use crate::duration;

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// Which handler it needs
    kind: String,
    #[command(flatten)]
    input: InputArgs,
    /// Wait until it ends and print its result; the exit code is its outcome
    #[arg(long, short)]
    wait: bool,
    /// Write the result to this file instead (implies --wait)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Queue to put it in
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Namespace to put it in
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// 0 to 9000; a higher one is served first
    #[arg(long, value_name = "N")]
    priority: Option<u16>,
    /// Idempotency key: makes the command repeatable
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A label, owner.name=value; may repeat
    #[arg(long = "tag", value_name = "K=V")]
    tags: Vec<String>,
    /// Not before so long from now, such as 5s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    delay: Option<std::time::Duration>,
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
        if context.json {
            context.terminal.json(&answer.text());
        } else {
            context.terminal.line(&created.id.to_string());
        }
        return Ok(Exit::Ok);
    }
    // The result goes to standard output, so the rest goes elsewhere.
    complain(&format!("execution {}", created.id));
    let (info, answer) = watch::finished(&client, created.id).await?;
    if context.json {
        context.terminal.json(&answer.text());
    }
    finish(context, &client, &info, args.output.as_deref()).await
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
    info: &ExecutionInfo,
    output: Option<&Path>,
) -> Result<Exit, Failure> {
    let exit = Exit::of_state(info.public_state);
    if exit != Exit::Ok {
        complain(&format!("{}{}", info.public_state, watch::why(info)));
        return Ok(exit);
    }
    if context.json && output.is_none() {
        return Ok(exit);
    }
    let result = client
        .get(&format!("/v1/executions/{}/result", info.id), Vec::new())
        .await?;
    match output {
        Some(path) => {
            std::fs::write(path, &result.body)
                .map_err(|error| Failure::file("write", path, &error))?;
            let bytes = size(result.body.len() as u64);
            complain(&format!(
                "completed: {} ({}, {bytes})",
                path.display(),
                neutralise(&result.content_type)
            ));
        }
        None => print(context, &result),
    }
    Ok(exit)
}

/// Prints a result: as it is to a program, made harmless to a terminal.
fn print(context: &Context, result: &Answer) {
    if !context.terminal.live {
        emit(&result.body);
        return;
    }
    match std::str::from_utf8(&result.body) {
        Ok(text) => context.terminal.line(neutralise_lines(text).trim_end()),
        Err(_) => complain(&format!(
            "the result is {} of {}; write it to a file with --output FILE",
            size(result.body.len() as u64),
            neutralise(&result.content_type)
        )),
    }
}
