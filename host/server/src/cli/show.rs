//! `flowhost show ID`: one execution with its attempts, logs and usage, what it
//! waits and waited for, and what operators did to it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use model::{ExecutionId, Limits};
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::list::hidden_as;
use super::terminal::{Paint, neutralise, neutralise_lines, size, when};
use super::waitpoint;
use crate::api::{
    Attempt, AttemptLease, Attempts, Execution, Operation, Operations, Signal, Signals, Suspension,
    Suspensions, Waitpoint, Waitpoints,
};
use crate::duration;

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The execution
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
        let hidden: Vec<&Value> = lists
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
        if !hidden.is_empty() {
            merged["unreadable"] = json!(hidden);
        }
        context.terminal.json(&merged.to_string());
        return Ok(Exit::Ok);
    }
    summary(context, &info.read()?);
    let attempts: Attempts = attempts.read()?;
    for attempt in &attempts.attempts {
        show_attempt(context, attempt);
    }
    let suspensions: Suspensions = suspensions.read()?;
    show_suspensions(context, &suspensions.suspensions);
    let waitpoints: Waitpoints = waitpoints.read()?;
    show_waitpoints(context, &waitpoints.waitpoints);
    let signals: Signals = signals.read()?;
    show_signals(context, &signals);
    let operations: Operations = operations.read()?;
    show_operations(context, &operations.operations);
    for (what, unreadable) in [
        ("attempt", &attempts.unreadable),
        ("suspension", &suspensions.unreadable),
        ("waitpoint", &waitpoints.unreadable),
        ("signal", &signals.unreadable),
        ("operation", &operations.unreadable),
    ] {
        hidden_as(what, unreadable);
    }
    Ok(Exit::Ok)
}

fn summary(context: &Context, info: &Execution) {
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
        let reason = info.blocking_reason.as_str();
        let more = info.blocking_detail.as_deref().filter(|it| *it != reason);
        let detail = more.map(neutralise).unwrap_or_default();
        field("because", format!("{reason} {detail}").trim_end());
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

/// Begins a part of what is shown.
fn heading(context: &Context, text: &str) {
    let terminal = context.terminal;
    terminal.line("");
    terminal.line(&terminal.paint(Paint::Bold, text));
}

/// Shows what it waits and waited for.
fn show_suspensions(context: &Context, suspensions: &[Suspension]) {
    let terminal = context.terminal;
    if !suspensions.is_empty() {
        heading(context, "suspensions");
    }
    for suspension in suspensions {
        let since = when(suspension.suspended_at);
        let mut line = format!("  {} since {since}", suspension.reason_code);
        match (suspension.closed_at, suspension.close_reason) {
            (Some(closed_at), Some(reason)) => {
                let lasted = closed_at - suspension.suspended_at;
                let lasted = duration::show(Duration::try_from(lasted).unwrap_or_default());
                line.push_str(&format!(", {reason} after {lasted}"));
            }
            _ => {
                if let Some(at) = suspension.timeout_at {
                    let then = suspension.timeout_behavior;
                    line.push_str(&format!(", until {}, then {then}", when(at)));
                }
                if let Some(at) = suspension.escalated_at {
                    line.push_str(&format!(", escalated {}", when(at)));
                }
            }
        }
        terminal.line(&line);
        let condition = serde_json::to_string(&suspension.resume_condition).unwrap_or_default();
        let condition = format!("    {}", neutralise(&condition));
        terminal.line(&terminal.paint(Paint::Dim, &condition));
    }
}

fn show_waitpoints(context: &Context, waitpoints: &[Waitpoint]) {
    if waitpoints.is_empty() {
        return;
    }
    heading(context, "waitpoints");
    for line in waitpoint::lines(context, waitpoints) {
        context.terminal.line(&format!("  {line}"));
    }
}

fn show_signals(context: &Context, page: &Signals) {
    let terminal = context.terminal;
    if !page.signals.is_empty() {
        heading(context, "signals");
    }
    for Signal { signal, effect, .. } in &page.signals {
        let mut line = format!(
            "  {} {} at {} from {} {}: {effect}",
            when(signal.accepted_at),
            neutralise(&signal.signal_name),
            neutralise(&signal.waitpoint_key),
            neutralise(&signal.source_type),
            neutralise(&signal.source_identity),
        );
        if let (Some(kind), Some(data)) = (&signal.content_type, &signal.payload_base64) {
            let bytes = STANDARD.decode(data).unwrap_or_default().len();
            line.push_str(&format!(", {}, {}", neutralise(kind), size(bytes as u64)));
        }
        terminal.line(&line);
    }
    if page.next_cursor.is_some() {
        terminal.line(&terminal.paint(Paint::Dim, "  and more"));
    }
}

/// Shows what operators did, and why.
fn show_operations(context: &Context, operations: &[Operation]) {
    let terminal = context.terminal;
    if !operations.is_empty() {
        heading(context, "operators");
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
