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
    let part = async |name: &str, query| client.get(&format!("{path}/{name}"), query).await;
    let attempts = part("attempts", Vec::new()).await?;
    let operations = part("operations", Vec::new()).await?;
    let suspensions = part("suspensions", Vec::new()).await?;
    let waitpoints = part("waitpoints", Vec::new()).await?;
    let limit = Limits::SIGNALS_MAX.to_string();
    let signals = part("signals", vec![("limit", limit)]).await?;
    if context.json {
        let mut merged = json!({"execution": info.read::<Value>()?});
        let mut unreadable = Vec::new();
        for (name, answer) in [
            ("attempts", &attempts),
            ("suspensions", &suspensions),
            ("waitpoints", &waitpoints),
            ("signals", &signals),
            ("operations", &operations),
        ] {
            let mut list: Value = answer.read()?;
            merged[name] = list[name].take();
            if let Value::Array(rows) = list["unreadable"].take() {
                unreadable.extend(rows);
            }
        }
        if !unreadable.is_empty() {
            merged["unreadable"] = unreadable.into();
        }
        return context.terminal.json_of(&merged).map(|()| Exit::Ok);
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
