//! `flowhost submit KIND`: creates an execution, and can wait for its result; and
//! `flowhost result ID`, which reads one again.

use std::path::{Path, PathBuf};

use clap::Args;
use model::ExecutionId;
use reqwest::Method;

use super::client::{Answer, Client, Request};
use super::exit::{Exit, Failure};
use super::input::InputArgs;
use super::terminal::{Lost, complain, emit, lost, neutralise, neutralise_lines, size};
use super::{Context, watch};
use crate::api::{CreatedExecution, Execution};
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
        let became = format!("the execution is {}", created.id);
        return arrived(&became).map(|()| Exit::Ok);
    }
    // The result goes to standard output, so the rest goes elsewhere.
    complain(&format!("execution {}", created.id));
    let (info, answer) = watch::finished(&client, created.id)
        .await
        .map_err(|failure| failure.about(created.id))?;
    if context.json {
        context.terminal.json(&answer.text());
    }
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

/// Arguments of `result`.
#[derive(Debug, Args)]
pub struct ResultArgs {
    /// The execution
    id: ExecutionId,
    /// Write the result to this file instead
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs `result`.
pub async fn result(context: &Context, args: ResultArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    write_result(context, &client, args.id, args.output.as_deref()).await?;
    Ok(Exit::Ok)
}

/// Fails if something written to standard output did not arrive, unless its reader
/// wanted no more.
fn arrived(became: &str) -> Result<(), Failure> {
    match lost() {
        Some(Lost::Failed(why)) => Err(Failure::output(became, &why)),
        _ => Ok(()),
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
        complain(&format!("{}{}", info.public_state, watch::why(info)));
        return Ok(exit);
    }
    if context.json && output.is_none() {
        return arrived(&kept(info.id)).map(|()| exit);
    }
    write_result(context, client, info.id, output).await?;
    Ok(exit)
}

/// Where the result can be read again.
fn kept(id: ExecutionId) -> String {
    format!("execution {id} completed, and `flowhost result {id}` reads its result again")
}

async fn write_result(
    context: &Context,
    client: &Client,
    id: ExecutionId,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let result = client
        .get(&format!("/v1/executions/{id}/result"), Vec::new())
        .await?;
    match output {
        Some(path) => {
            if let Err(error) = std::fs::write(path, &result.body) {
                let why = format!("{}: {error}", path.display());
                return Err(Failure::output(&kept(id), &why));
            }
            let bytes = size(result.body.len() as u64);
            complain(&format!(
                "completed: {} ({}, {bytes})",
                path.display(),
                neutralise(&result.content_type)
            ));
        }
        None => print(context, &result),
    }
    arrived(&kept(id))
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
