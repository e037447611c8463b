//! `flowhost invoke FILE.wasm`: runs a handler once, without a host or a
//! database, as its author's test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use engine::{Payload, SuspensionTimeout};
use runtime::{AttemptEnd, InvokeReport, InvokeSettings, InvokeSuspension};
use serde_json::{Value, json};

use super::resumption::ResumptionArgs;
use crate::api;
use crate::cli::host::ConfigArgs;
use crate::cli::io::{
    Context, Exit, Failure, InputArgs, escape, escape_lines, format_bytes, format_duration,
    format_time, to_stderr, to_stdout,
};
use crate::{duration, telemetry};

/// Arguments of `invoke`.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// File of the component
    component: PathBuf,
    #[command(flatten)]
    input: InputArgs,
    /// Kind of the execution [default: the name of the file]
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Number of the attempt, from zero
    #[arg(long, value_name = "N", default_value_t = 0)]
    attempt: u32,
    /// Longest the attempt may run
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    #[command(flatten)]
    resumption: ResumptionArgs,
    /// Write the result, or the state it suspended with, to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: InvokeArgs) -> Result<Exit, Failure> {
    let config = args.config.load()?.config;
    telemetry::install(&config.telemetry);
    let path = &args.component;
    let component = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let (content_type, data) = args.input.read()?;
    let settings = InvokeSettings {
        sandbox: config.sandbox,
        limits: config.limits,
        attempt_timeout_ms: args
            .timeout
            .map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
        attempt_index: args.attempt,
        resumption: args.resumption.read(&config.limits)?,
        ..InvokeSettings::default()
    };
    let kind = args.kind.or(stem).unwrap_or_default();
    let invoked = runtime::invoke(settings, &component, &kind, Payload { content_type, data })
        .await?
        .map_err(|refusal| Failure::usage(refusal.to_string()))?;
    report(context, &invoked);
    match &invoked.outcome {
        AttemptEnd::Completed(result) => {
            show(context, result, args.output.as_deref())?;
            return Ok(Exit::Ok);
        }
        AttemptEnd::Recorded => {
            if let Some(suspension) = &invoked.suspension {
                show_suspension(context, suspension, args.output.as_deref())?;
            }
            return Ok(Exit::Ok);
        }
        _ if context.json => {}
        AttemptEnd::Failed(failure) | AttemptEnd::TimedOut(failure) => {
            let text = format!("{} {}: {}", failure.class, failure.code, failure.message);
            to_stderr(&escape(&text));
            for line in failure.backtrace.iter().flat_map(|text| text.lines()) {
                to_stderr(&format!("  {}", escape(line)));
            }
        }
        AttemptEnd::Abandoned(stop) => to_stderr(&stop.to_string()),
        AttemptEnd::NotOpened(why) => to_stderr(&escape(why)),
    }
    Ok(Exit::Failed)
}

/// Shows everything but the result.
fn report(context: &Context, invoked: &InvokeReport) {
    if context.json {
        let result = match &invoked.outcome {
            AttemptEnd::Completed(result) => Some(result),
            _ => None,
        };
        let failure = match &invoked.outcome {
            AttemptEnd::Failed(failure) | AttemptEnd::TimedOut(failure) => Some(failure),
            _ => None,
        };
        let shown = json!({
            "result_type": result.map(|it| &it.content_type),
            "result_bytes": result.map(|it| it.data.len()),
            "result_text": result.and_then(|it| std::str::from_utf8(&it.data).ok()),
            "ended": invoked.outcome.label(),
            "suspension": invoked.suspension.as_ref().map(suspension),
            "failure": failure.cloned().map(api::Failure::from),
            "digest": invoked.digest,
            "imports": invoked.imports,
            "compile_ms": invoked.compile_ms,
            "log": invoked.log,
            "usage": api::Usage::from(invoked.usage),
        });
        context.terminal.json(&shown.to_string());
    } else {
        for line in invoked.log.iter().flat_map(|log| log.lines()) {
            to_stderr(&format!("| {}", escape_lines(line)));
        }
        let usage = invoked.usage;
        to_stderr(&format!(
            "compiled in {} ms, ran {}, {} of memory, {} host calls",
            invoked.compile_ms,
            format_duration(Duration::from_micros(usage.wall_us)),
            format_bytes(usage.memory_peak_bytes),
            usage.host_calls,
        ));
    }
}

/// Shows what a handler waits for, as the HTTP API names it.
fn suspension(found: &InvokeSuspension) -> Value {
    let asked = &found.asked;
    let state = asked.state.as_ref();
    let (timeout_ms, timeout_at) = match asked.timeout {
        Some(SuspensionTimeout::InMs(ms)) => (Some(ms), None),
        Some(SuspensionTimeout::At(at)) => (None, Some(at)),
        None => (None, None),
    };
    json!({
        "reason_code": asked.reason,
        "resume_condition": asked.condition,
        "waitpoint_keys": found.waitpoint_keys,
        "resume_policy": asked.resume_policy,
        "timeout_ms": timeout_ms,
        "timeout_at": timeout_at,
        "timeout_behavior": asked.timeout_behavior,
        "idempotency_key": asked.idempotency_key,
        "state_type": state.map(|it| &it.content_type),
        "state_bytes": state.map(|it| it.data.len()),
        "state_text": state.and_then(|it| std::str::from_utf8(&it.data).ok()),
    })
}

/// Shows people what a handler waits for, and writes the state if a file is named for
/// it.
fn show_suspension(
    context: &Context,
    found: &InvokeSuspension,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let asked = &found.asked;
    if !context.json {
        let keys = escape(&found.waitpoint_keys.join(", "));
        let mut line = format!("suspended: {} at {keys}", asked.reason);
        match asked.timeout {
            Some(SuspensionTimeout::InMs(ms)) => {
                let limit = format_duration(Duration::from_millis(ms));
                line.push_str(&format!(", for {limit} at most"));
            }
            Some(SuspensionTimeout::At(at)) => {
                line.push_str(&format!(", until {}", format_time(at.utc())))
            }
            None => {}
        }
        if let Some(then) = asked.timeout_behavior {
            line.push_str(&format!(", then {then}"));
        }
        to_stderr(&line);
        let condition = serde_json::to_string(&asked.condition).unwrap_or_default();
        to_stderr(&format!("  {}", escape(&condition)));
    }
    let described = match (&asked.state, output) {
        (Some(state), Some(path)) => write(path, state)?,
        _ if context.json => return Ok(()),
        (Some(state), None) => match std::str::from_utf8(&state.data) {
            Ok(text) => escape_lines(text).trim_end().to_owned(),
            Err(_) => format!(
                "{}; write it to a file with --output FILE",
                described(state)
            ),
        },
        (None, _) => "none".to_owned(),
    };
    to_stderr(&format!("  state: {described}"));
    Ok(())
}

fn show(context: &Context, result: &Payload, output: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = output {
        to_stderr(&write(path, result)?);
    } else if context.json {
        // It is part of what was printed.
    } else if !context.terminal.live {
        to_stdout(&result.data);
    } else if let Ok(text) = std::str::from_utf8(&result.data) {
        context.line(escape_lines(text).trim_end());
    } else {
        to_stderr(&format!(
            "the result is {}; write it to a file with --output FILE",
            described(result)
        ));
    }
    Ok(())
}

/// Writes a payload to a file; says what is in it.
fn write(path: &Path, payload: &Payload) -> Result<String, Failure> {
    std::fs::write(path, &payload.data).map_err(|error| Failure::file("write", path, &error))?;
    Ok(format!("{} in {}", described(payload), path.display()))
}

fn described(payload: &Payload) -> String {
    let bytes = format_bytes(payload.data.len() as u64);
    format!("{bytes} of {}", escape(&payload.content_type))
}
