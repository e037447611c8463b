//! The arguments of `show`, what it requests, and the order of what it shows.

use clap::Args;
use model::{ExecutionId, Limits};
use serde_json::{Value, json};

use super::{parts, waiting};
use crate::api::{Attempts, Operations, Signals, Suspensions, Waitpoints};
use crate::cli::io::{Context, Exit, Failure, name_unreadable_as};

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id of the execution
    id: ExecutionId,
}

/// Runs the command.
pub async fn run(context: &Context, args: ShowArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = format!("/v1/executions/{}", args.id);
    let info = client.get(&path, Vec::new()).await?;
    let attempts = client.get(&format!("{path}/attempts"), Vec::new()).await?;
    let operations = client
        .get(&format!("{path}/operations"), Vec::new())
        .await?;
    let suspensions = client
        .get(&format!("{path}/suspensions"), Vec::new())
        .await?;
    let waitpoints = client
        .get(&format!("{path}/waitpoints"), Vec::new())
        .await?;
    let limit = Limits::SIGNALS_MAX.to_string();
    let signals = client
        .get(&format!("{path}/signals"), vec![("limit", limit)])
        .await?;
    if context.json {
        let info: Value = info.read()?;
        let attempts: Value = attempts.read()?;
        let operations: Value = operations.read()?;
        let suspensions: Value = suspensions.read()?;
        let waitpoints: Value = waitpoints.read()?;
        let signals: Value = signals.read()?;
        let lists = [&attempts, &suspensions, &waitpoints, &signals, &operations];
        let unreadable: Vec<&Value> = lists
            .into_iter()
            .filter_map(|list| list["unreadable"].as_array())
            .flatten()
            .collect();
        let mut merged = json!({
            "execution": info,
            "attempts": attempts["attempts"],
            "suspensions": suspensions["suspensions"],
            "waitpoints": waitpoints["waitpoints"],
            "signals": signals["signals"],
            "operations": operations["operations"],
        });
        if !unreadable.is_empty() {
            merged["unreadable"] = json!(unreadable);
        }
        context.terminal.json(&merged.to_string());
        return Ok(Exit::Ok);
    }
    parts::summary(context, &info.read()?);
    let attempts: Attempts = attempts.read()?;
    for attempt in &attempts.attempts {
        parts::attempt(context, attempt);
    }
    let suspensions: Suspensions = suspensions.read()?;
    waiting::suspensions(context, &suspensions.suspensions);
    let waitpoints: Waitpoints = waitpoints.read()?;
    waiting::waitpoints(context, &waitpoints.waitpoints);
    let signals: Signals = signals.read()?;
    waiting::signals(context, &signals);
    let operations: Operations = operations.read()?;
    parts::operations(context, &operations.operations);
    for (what, unreadable) in [
        ("attempt", &attempts.unreadable),
        ("suspension", &suspensions.unreadable),
        ("waitpoint", &waitpoints.unreadable),
        ("signal", &signals.unreadable),
        ("operation", &operations.unreadable),
    ] {
        name_unreadable_as(what, unreadable);
    }
    Ok(Exit::Ok)
}
