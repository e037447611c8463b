//! `flowhost show ID`: one execution with its attempts, logs and usage, and what
//! operators did to it.

use std::time::Duration;

use clap::Args;
use engine::{Attempt, AttemptLease, ExecutionInfo, OperationEntry};
use model::ExecutionId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::terminal::{Paint, neutralise, neutralise_lines, size, when};
use crate::duration;

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The execution
    id: ExecutionId,
}

#[derive(Deserialize)]
struct Attempts {
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Operations {
    operations: Vec<OperationEntry>,
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
    if context.json {
        let info: Value = info.read()?;
        let attempts: Value = attempts.read()?;
        let operations: Value = operations.read()?;
        let merged = json!({
            "execution": info,
            "attempts": attempts["attempts"],
            "operations": operations["operations"],
        });
        context.terminal.json(&merged.to_string());
        return Ok(Exit::Ok);
    }
    summary(context, &info.read()?);
    let attempts: Attempts = attempts.read()?;
    for attempt in &attempts.attempts {
        show_attempt(context, attempt);
    }
    let operations: Operations = operations.read()?;
    show_operations(context, &operations.operations);
    Ok(Exit::Ok)
}

fn summary(context: &Context, info: &ExecutionInfo) {
    let terminal = context.terminal;
    let field = |name: &str, value: &str| {
        terminal.line(&format!(
            "{} {value}",
            terminal.paint(Paint::Dim, &format!("{name:<10}"))
        ));
    };
    field("execution", &info.id.to_string());
    field(
        "kind",
        &terminal.paint(Paint::Bold, &neutralise(&info.kind)),
    );
    let state = terminal.paint(
        Paint::of_state(info.public_state),
        info.public_state.as_str(),
    );
    field("state", &state);
    if info.blocking_reason != model::BlockingReason::None {
        let detail = info
            .blocking_detail
            .as_deref()
            .map(neutralise)
            .unwrap_or_default();
        field("because", &format!("{} {detail}", info.blocking_reason));
    }
    let place = format!(
        "{} (lane {}, priority {})",
        neutralise(&info.namespace),
        neutralise(&info.lane),
        info.priority
    );
    field("namespace", &place);
    if let Some(key) = &info.idempotency_key {
        field("key", &neutralise(key));
    }
    for (key, value) in &info.tags {
        field("tag", &format!("{}={}", neutralise(key), neutralise(value)));
    }
    field(
        "input",
        &format!(
            "{}, {}",
            neutralise(&info.input_type),
            size(info.input_bytes)
        ),
    );
    if let (Some(kind), Some(bytes)) = (&info.result_type, info.result_bytes) {
        field("result", &format!("{}, {}", neutralise(kind), size(bytes)));
    }
    field("created", &when(info.created_at));
    if let Some(wake_at) = info.wake_at {
        field("due", &when(wake_at));
    }
    if let Some(finished_at) = info.finished_at {
        let took = Duration::try_from(finished_at - info.created_at).unwrap_or_default();
        field(
            "finished",
            &format!("{} (after {})", when(finished_at), duration::show(took)),
        );
    }
    if let Some(failure) = &info.failure {
        let text = format!(
            "{} {}: {}",
            failure.class,
            neutralise(&failure.code),
            neutralise(&failure.message)
        );
        field("failure", &terminal.paint(Paint::Red, &text));
    }
}

/// Shows what operators did, and why.
fn show_operations(context: &Context, operations: &[OperationEntry]) {
    let terminal = context.terminal;
    if !operations.is_empty() {
        terminal.line("");
        terminal.line(&terminal.paint(Paint::Bold, "operators"));
    }
    for operation in operations {
        let mut line = format!(
            "  {} {} by {}",
            when(operation.at),
            neutralise(&operation.verb),
            neutralise(&operation.actor)
        );
        for words in [&operation.detail, &operation.reason].into_iter().flatten() {
            line.push_str(": ");
            line.push_str(&neutralise(words));
        }
        terminal.line(&line);
    }
}

fn show_attempt(context: &Context, attempt: &Attempt) {
    let terminal = context.terminal;
    terminal.line("");
    let title = format!(
        "attempt {} ({}): {}",
        attempt.attempt, attempt.attempt_type, attempt.lifecycle
    );
    terminal.line(&terminal.paint(Paint::Bold, &title));
    for lease in &attempt.leases {
        show_lease(context, lease);
    }
}

fn show_lease(context: &Context, lease: &AttemptLease) {
    let terminal = context.terminal;
    let ended = lease.ended.map_or("running", model::AttemptEnd::as_str);
    let mut line = format!("  {} on {}", ended, neutralise(&lease.worker_instance_id));
    if let Some(released_at) = lease.released_at {
        let took = Duration::try_from(released_at - lease.acquired_at).unwrap_or_default();
        line.push_str(&format!(", held {}", duration::show(took)));
    }
    if let Some(component) = &lease.component {
        line.push_str(&format!(", component {}", component.short()));
    }
    terminal.line(&line);
    if let Some(usage) = &lease.usage {
        let text = format!(
            "  ran {}, {} ms of CPU, {} of memory, {} host calls, {} out",
            duration::show(Duration::from_micros(usage.wall_us)),
            usage.cpu_ticks * 10,
            size(usage.memory_peak_bytes),
            usage.host_calls,
            size(usage.bytes_out),
        );
        terminal.line(&terminal.paint(Paint::Dim, &text));
    }
    if let Some(failure) = &lease.failure {
        let text = format!(
            "  {} {}: {}",
            failure.class,
            neutralise(&failure.code),
            neutralise(&failure.message)
        );
        terminal.line(&terminal.paint(Paint::Red, &text));
        for line in failure.backtrace.iter().flat_map(|text| text.lines()) {
            terminal.line(&terminal.paint(Paint::Dim, &format!("    {}", neutralise(line))));
        }
    }
    for line in lease.log.iter().flat_map(|log| log.lines()) {
        terminal.line(&format!("  | {}", neutralise_lines(line)));
    }
}
