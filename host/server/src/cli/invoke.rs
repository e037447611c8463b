//! `flowhost invoke FILE.wasm`: runs a handler once, without a host or a
//! database, as its author's test.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use engine::Payload;
use runtime::{Ended, InvokeReport, InvokeSettings};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::host_args::ConfigArgs;
use super::input::InputArgs;
use super::terminal::{complain, emit, neutralise, neutralise_lines, size};
use crate::{duration, telemetry};

/// Arguments of `invoke`.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The component
    component: PathBuf,
    #[command(flatten)]
    input: InputArgs,
    /// Kind the handler is told [default: the component's file name]
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Number of the attempt the handler is told, from zero
    #[arg(long, value_name = "N", default_value_t = 0)]
    attempt: u32,
    /// Longest it may run
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Write the result to this file
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
        ..InvokeSettings::default()
    };
    let kind = args.kind.or(stem).unwrap_or_default();
    let invoked = runtime::invoke(settings, &component, &kind, Payload { content_type, data })
        .await?
        .map_err(|refusal| Failure::usage(refusal.to_string()))?;
    report(context, &invoked);
    match &invoked.outcome {
        Ended::Completed(result) => {
            show(context, result, args.output.as_deref())?;
            return Ok(Exit::Ok);
        }
        Ended::Recorded => return Ok(Exit::Ok),
        _ if context.json => {}
        Ended::Failed(failure) => {
            let text = format!("{} {}: {}", failure.class, failure.code, failure.message);
            complain(&neutralise(&text));
            for line in failure.backtrace.iter().flat_map(|text| text.lines()) {
                complain(&format!("  {}", neutralise(line)));
            }
        }
        Ended::Abandoned(stop) => complain(&stop.to_string()),
        Ended::NotOpened(why) => complain(&neutralise(why)),
    }
    Ok(Exit::Failed)
}

/// Shows everything but the result.
fn report(context: &Context, invoked: &InvokeReport) {
    if context.json {
        let result = match &invoked.outcome {
            Ended::Completed(result) => Some(result),
            _ => None,
        };
        let failure = match &invoked.outcome {
            Ended::Failed(failure) => Some(failure),
            _ => None,
        };
        let shown = json!({
            "result_type": result.map(|it| &it.content_type),
            "result_bytes": result.map(|it| it.data.len()),
            "result_text": result.and_then(|it| std::str::from_utf8(&it.data).ok()),
            "ended": invoked.outcome.word(),
            "failure": failure,
            "digest": invoked.digest,
            "imports": invoked.imports,
            "compile_ms": invoked.compile_ms,
            "log": invoked.log,
            "usage": invoked.usage,
        });
        context.terminal.json(&shown.to_string());
    } else {
        for line in invoked.log.iter().flat_map(|log| log.lines()) {
            complain(&format!("| {}", neutralise_lines(line)));
        }
        let usage = invoked.usage;
        complain(&format!(
            "compiled in {} ms, ran {}, {} of memory, {} host calls",
            invoked.compile_ms,
            duration::show(Duration::from_micros(usage.wall_us)),
            size(usage.memory_peak_bytes),
            usage.host_calls,
        ));
    }
}

fn show(
    context: &Context,
    result: &Payload,
    output: Option<&std::path::Path>,
) -> Result<(), Failure> {
    let described = format!(
        "{} of {}",
        size(result.data.len() as u64),
        neutralise(&result.content_type)
    );
    if let Some(path) = output {
        std::fs::write(path, &result.data).map_err(|error| Failure::file("write", path, &error))?;
        complain(&format!("{described} in {}", path.display()));
    } else if context.json {
        // It is part of what was printed.
    } else if !context.terminal.live {
        emit(&result.data);
    } else if let Ok(text) = std::str::from_utf8(&result.data) {
        context.terminal.line(neutralise_lines(text).trim_end());
    } else {
        complain(&format!(
            "the result is {described}; write it to a file with --output FILE"
        ));
    }
    Ok(())
}
