//! The arguments of `show`, what it requests, and the order of what it shows.

use clap::Args;
use model::ExecutionId;
use serde_json::{Value, json};

use super::{parts, waiting};
use crate::api::{Attempt, Attempts, Operations, Signals, Suspensions, Waitpoints};
use crate::cli::io::{Context, Exit, Failure, every_page, name_unreadable};

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Most leases, suspensions, waitpoints, signals and operations to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Show all of them
    #[arg(long, conflicts_with = "limit")]
    all_pages: bool,
}

/// Runs the command.
pub async fn run(context: &Context, args: ShowArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = format!("/v1/executions/{}", args.id);
    let info = client.get(&path, Vec::new()).await?;
    let part = async |name: &str| {
        let path = format!("{path}/{name}");
        if args.all_pages {
            every_page(&client, &path, Vec::new(), name).await
        } else {
            let query = vec![("limit", args.limit.to_string())];
            client.get(&path, query).await
        }
    };
    let attempts = part("attempts").await?;
    let operations = part("operations").await?;
    let suspensions = part("suspensions").await?;
    let waitpoints = part("waitpoints").await?;
    let signals = part("signals").await?;
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
            if let cursor @ Value::String(_) = list["next_cursor"].take() {
                merged["next_cursors"][name] = cursor;
            }
        }
        if !unreadable.is_empty() {
            merged["unreadable"] = unreadable.into();
        }
        return context.terminal.json_of(&merged).map(|()| Exit::Ok);
    }
    parts::summary(context, &info.read()?);
    let attempts: Attempts = attempts.read()?;
    for attempt in &joined(attempts.attempts) {
        parts::attempt(context, attempt);
    }
    parts::more(context, attempts.next_cursor.is_some());
    let suspensions: Suspensions = suspensions.read()?;
    waiting::suspensions(context, &suspensions.suspensions);
    parts::more(context, suspensions.next_cursor.is_some());
    let waitpoints: Waitpoints = waitpoints.read()?;
    waiting::waitpoints(context, &waitpoints.waitpoints);
    parts::more(context, waitpoints.next_cursor.is_some());
    let signals: Signals = signals.read()?;
    waiting::signals(context, &signals.signals);
    parts::more(context, signals.next_cursor.is_some());
    let operations: Operations = operations.read()?;
    parts::operations(context, &operations.operations);
    parts::more(context, operations.next_cursor.is_some());
    for (what, unreadable) in [
        ("attempt", &attempts.unreadable),
        ("suspension", &suspensions.unreadable),
        ("waitpoint", &waitpoints.unreadable),
        ("signal", &signals.unreadable),
        ("operation", &operations.unreadable),
    ] {
        name_unreadable(what, unreadable);
    }
    Ok(Exit::Ok)
}

/// Joins the parts of an attempt that continues on another page.
fn joined(attempts: Vec<Attempt>) -> Vec<Attempt> {
    let mut joined: Vec<Attempt> = Vec::new();
    for attempt in attempts {
        match joined.last_mut().filter(|it| it.attempt == attempt.attempt) {
            Some(last) => {
                last.lifecycle = attempt.lifecycle;
                last.leases.extend(attempt.leases);
            }
            None => joined.push(attempt),
        }
    }
    joined
}
