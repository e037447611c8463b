//! The summary of an execution, its attempts, and what operators did.

use std::time::Duration;

use crate::api::{Attempt, AttemptLease, Execution, Operation};
use crate::cli::io::{
    Context, Paint, escape, escape_lines, format_bytes, format_duration, format_time,
};

/// Shows the execution itself.
pub fn summary(context: &Context, info: &Execution) {
    let terminal = context.terminal;
    let field = |name: &str, value: &str| {
        terminal.line(&format!(
            "{} {value}",
            terminal.paint(Paint::Dim, &format!("{name:<10}"))
        ));
    };
    field("execution", &info.id.to_string());
    field("kind", &terminal.paint(Paint::Bold, &escape(&info.kind)));
    let state = terminal.paint(
        Paint::of_state(info.public_state),
        info.public_state.as_str(),
    );
    field("state", &state);
    if info.blocking_reason != model::BlockingReason::None {
        let reason = info.blocking_reason.as_str();
        let more = info.blocking_detail.as_deref().filter(|it| *it != reason);
        let detail = more.map(escape).unwrap_or_default();
        field("because", format!("{reason} {detail}").trim_end());
    }
    let place = format!(
        "{} (lane {}, priority {})",
        escape(&info.namespace),
        escape(&info.lane),
        info.priority
    );
    field("namespace", &place);
    if let Some(key) = &info.idempotency_key {
        field("key", &escape(key));
    }
    for (key, value) in &info.tags {
        field("tag", &format!("{}={}", escape(key), escape(value)));
    }
    field(
        "input",
        &format!(
            "{}, {}",
            escape(&info.input_type),
            format_bytes(info.input_bytes)
        ),
    );
    if let (Some(kind), Some(bytes)) = (&info.result_type, info.result_bytes) {
        field(
            "result",
            &format!("{}, {}", escape(kind), format_bytes(bytes)),
        );
    }
    if let Some(lease) = &info.current_lease {
        let beat = lease.last_heartbeat_at.map_or_else(
            || "not renewed yet".to_owned(),
            |at| format!("last heartbeat {}", format_time(at)),
        );
        let worker = escape(&lease.worker_instance_id);
        let until = format_time(lease.expires_at);
        field("lease", &format!("{worker} until {until}, {beat}"));
    }
    field("created", &format_time(info.created_at));
    if let Some(wake_at) = info.wake_at {
        field("due", &format_time(wake_at));
    }
    if let Some(finished_at) = info.finished_at {
        let took = Duration::try_from(finished_at - info.created_at).unwrap_or_default();
        field(
            "finished",
            &format!(
                "{} (after {})",
                format_time(finished_at),
                format_duration(took)
            ),
        );
    }
    if let Some(failure) = &info.failure {
        let text = format!(
            "{} {}: {}",
            failure.class,
            escape(&failure.code),
            escape(&failure.message)
        );
        field("failure", &terminal.paint(Paint::Red, &text));
    }
}

/// Begins a part.
pub fn heading(context: &Context, text: &str) {
    let terminal = context.terminal;
    terminal.line("");
    terminal.line(&terminal.paint(Paint::Bold, text));
}

/// Says that a part has more than is shown, and how to see that.
pub fn more(context: &Context, has_more: bool) {
    if has_more {
        let terminal = context.terminal;
        let text = "  and more: show them with --limit or --all-pages";
        terminal.line(&terminal.paint(Paint::Dim, text));
    }
}

/// Shows what operators did, and why.
pub fn operations(context: &Context, operations: &[Operation]) {
    let terminal = context.terminal;
    if !operations.is_empty() {
        heading(context, "operators");
    }
    for operation in operations {
        let mut line = format!(
            "  {} {} by {}",
            format_time(operation.at),
            escape(&operation.verb),
            escape(&operation.actor)
        );
        for words in [&operation.detail, &operation.reason].into_iter().flatten() {
            line.push_str(": ");
            line.push_str(&escape(words));
        }
        terminal.line(&line);
    }
}

/// Shows an attempt with its leases.
pub fn attempt(context: &Context, attempt: &Attempt) {
    let terminal = context.terminal;
    terminal.line("");
    let title = format!(
        "attempt {} ({}): {}",
        attempt.attempt, attempt.attempt_type, attempt.lifecycle
    );
    terminal.line(&terminal.paint(Paint::Bold, &title));
    let id = format!("  {}", attempt.attempt_id);
    terminal.line(&terminal.paint(Paint::Dim, &id));
    for held in &attempt.leases {
        lease(context, held);
    }
}

fn lease(context: &Context, lease: &AttemptLease) {
    let terminal = context.terminal;
    let ended = lease.ended.map_or("running", model::AttemptEnd::as_str);
    let mut line = format!("  {} on {}", ended, escape(&lease.worker_instance_id));
    if let Some(released_at) = lease.released_at {
        let took = Duration::try_from(released_at - lease.acquired_at).unwrap_or_default();
        line.push_str(&format!(", held {}", format_duration(took)));
    }
    if let Some(component) = &lease.component {
        line.push_str(&format!(", component {}", component.short()));
    }
    terminal.line(&line);
    if let Some(usage) = &lease.usage {
        let text = format!(
            "  ran {}, {} ms of CPU, {} of memory, {} host calls, {} out",
            format_duration(Duration::from_micros(usage.wall_us)),
            usage.cpu_ticks * 10,
            format_bytes(usage.memory_peak_bytes),
            usage.host_calls,
            format_bytes(usage.bytes_out),
        );
        terminal.line(&terminal.paint(Paint::Dim, &text));
    }
    if let Some(failure) = &lease.failure {
        let text = format!(
            "  {} {}: {}",
            failure.class,
            escape(&failure.code),
            escape(&failure.message)
        );
        terminal.line(&terminal.paint(Paint::Red, &text));
        for line in failure.backtrace.iter().flat_map(|text| text.lines()) {
            terminal.line(&terminal.paint(Paint::Dim, &format!("    {}", escape(line))));
        }
    }
    for line in lease.log.iter().flat_map(|log| log.lines()) {
        terminal.line(&format!("  | {}", escape_lines(line)));
    }
}
