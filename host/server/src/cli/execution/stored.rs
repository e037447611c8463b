//! `flowhost input ID` and `flowhost policy ID`: what an execution was created with.

use std::path::PathBuf;

use clap::Args;
use model::ExecutionId;
use serde_json::Value;

use super::result::{arrived, write_payload};
use crate::cli::io::{Context, Exit, Failure, escape_json};

/// Arguments of `input`.
#[derive(Debug, Args)]
pub struct InputOfArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Write the input to this file instead
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub struct PolicyOfArgs {
    /// Id of the execution
    id: ExecutionId,
}

/// Runs `input`.
pub async fn input(context: &Context, args: InputOfArgs) -> Result<Exit, Failure> {
    let id = args.id;
    let path = format!("/v1/executions/{id}/input");
    let payload = context.client()?.get(&path, Vec::new()).await?;
    let again = format!("`flowhost input {id}` reads the input again");
    write_payload(context, &payload, args.output.as_deref(), "input", &again)?;
    arrived(&again).map(|()| Exit::Ok)
}

/// Runs `policy`: JSON in both cases, indented for people.
pub async fn policy(context: &Context, args: PolicyOfArgs) -> Result<Exit, Failure> {
    let path = format!("/v1/executions/{}/policy", args.id);
    let answer = context.client()?.get(&path, Vec::new()).await?;
    if !context.prints_json(&answer) {
        let policy: Value = answer.read()?;
        let text = serde_json::to_string_pretty(&policy)
            .map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        for line in text.lines() {
            context.line(&escape_json(line));
        }
    }
    Ok(Exit::Ok)
}
