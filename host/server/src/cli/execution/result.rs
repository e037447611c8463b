//! `flowhost result ID`: prints the result of an execution that completed.

use std::path::{Path, PathBuf};

use clap::Args;
use model::ExecutionId;

use crate::cli::io::{
    Answer, Client, Context, Exit, Failure, OutputLoss, escape, escape_lines, format_bytes,
    output_loss, to_stderr, to_stdout,
};

/// Arguments of `result`.
#[derive(Debug, Args)]
pub struct ResultArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Write the result to this file instead
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(context: &Context, args: ResultArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    write_result(context, &client, args.id, args.output.as_deref()).await?;
    Ok(Exit::Ok)
}

/// Fails if something written to standard output did not arrive, unless its reader went
/// away; `became` says what became of the execution.
pub(super) fn arrived(became: &str) -> Result<(), Failure> {
    match output_loss() {
        Some(OutputLoss::Failed(why)) => Err(Failure::output(became, &why)),
        _ => Ok(()),
    }
}

/// Says how the result can be read again.
pub(super) fn reads_again(id: ExecutionId) -> String {
    format!("execution {id} completed, and `flowhost result {id}` reads its result again")
}

/// Writes the result of an execution to a file, or to standard output.
pub(super) async fn write_result(
    context: &Context,
    client: &Client,
    id: ExecutionId,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let result = client
        .get(&format!("/v1/executions/{id}/result"), Vec::new())
        .await?;
    write_payload(context, &result, output, "completed", &reads_again(id))?;
    arrived(&reads_again(id))
}

/// Writes bytes to a file, or to standard output; `what` they are is said of a file, and
/// `again` how to read them again.
pub(super) fn write_payload(
    context: &Context,
    payload: &Answer,
    output: Option<&Path>,
    what: &str,
    again: &str,
) -> Result<(), Failure> {
    let Some(path) = output else {
        print(context, payload);
        return Ok(());
    };
    if let Err(error) = std::fs::write(path, &payload.body) {
        let why = format!("{}: {error}", path.display());
        return Err(Failure::output(again, &why));
    }
    let bytes = format_bytes(payload.body.len() as u64);
    to_stderr(&format!(
        "{what}: {} ({}, {bytes})",
        path.display(),
        escape(&payload.content_type)
    ));
    Ok(())
}

/// Prints a result: as it is for programs, escaped on a terminal.
fn print(context: &Context, result: &Answer) {
    if !context.terminal.live {
        to_stdout(&result.body);
        return;
    }
    match std::str::from_utf8(&result.body) {
        Ok(text) => context.line(escape_lines(text).trim_end()),
        Err(_) => to_stderr(&format!(
            "that is {} of {}; write it to a file with --output FILE",
            format_bytes(result.body.len() as u64),
            escape(&result.content_type)
        )),
    }
}
