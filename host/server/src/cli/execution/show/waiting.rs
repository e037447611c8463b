//! The suspensions, waitpoints and signals of an execution.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::parts::heading;
use crate::api::{Signal, Suspension, Waitpoint};
use crate::cli::io::{Context, Paint, escape, format_bytes, format_duration, format_time};
use crate::cli::waitpoint::list;

/// Shows what the execution waits and waited for.
pub fn suspensions(context: &Context, suspensions: &[Suspension]) {
    let terminal = context.terminal;
    if !suspensions.is_empty() {
        heading(context, "suspensions");
    }
    for suspension in suspensions {
        let since = format_time(suspension.suspended_at);
        let mut line = format!("  {} since {since}", suspension.reason_code);
        match (suspension.closed_at, suspension.close_reason) {
            (Some(closed_at), Some(reason)) => {
                let lasted = closed_at - suspension.suspended_at;
                let lasted = format_duration(Duration::try_from(lasted).unwrap_or_default());
                line.push_str(&format!(", {reason} after {lasted}"));
            }
            _ => {
                if let Some(at) = suspension.timeout_at {
                    let then = suspension.timeout_behavior;
                    line.push_str(&format!(", until {}, then {then}", format_time(at)));
                }
                if let Some(at) = suspension.escalated_at {
                    line.push_str(&format!(", escalated {}", format_time(at)));
                }
            }
        }
        terminal.line(&line);
        let condition = serde_json::to_string(&suspension.resume_condition).unwrap_or_default();
        let condition = format!("    {}", escape(&condition));
        terminal.line(&terminal.paint(Paint::Dim, &condition));
    }
}

/// Shows where signals arrive.
pub fn waitpoints(context: &Context, waitpoints: &[Waitpoint]) {
    if waitpoints.is_empty() {
        return;
    }
    heading(context, "waitpoints");
    for line in list::lines(context, waitpoints) {
        context.line(&format!("  {line}"));
    }
}

/// Shows the signals that were accepted.
pub fn signals(context: &Context, signals: &[Signal]) {
    let terminal = context.terminal;
    if !signals.is_empty() {
        heading(context, "signals");
    }
    for Signal { signal, effect, .. } in signals {
        let mut line = format!(
            "  {} {} at {} from {} {}: {effect}",
            format_time(signal.accepted_at),
            escape(&signal.signal_name),
            escape(&signal.waitpoint_key),
            escape(&signal.source_type),
            escape(&signal.source_identity),
        );
        if let (Some(kind), Some(data)) = (&signal.content_type, &signal.payload_base64) {
            let bytes = STANDARD.decode(data).unwrap_or_default().len();
            line.push_str(&format!(
                ", {}, {}",
                escape(kind),
                format_bytes(bytes as u64)
            ));
        }
        terminal.line(&line);
    }
}
