//! `flowhost dev --demo`: submits samples, shows live how they run, and writes their
//! results to a directory.

use std::path::Path;
use std::time::Duration;

use model::ExecutionId;
use reqwest::Method;

use super::samples::Sample;
use crate::api::{CreatedExecution, Execution, Progress};
use crate::cli::execution::watch::failure_text;
use crate::cli::io::{
    Client, Context, Exit, Failure, Paint, Request, escape, format_bytes, format_duration,
};

/// Pause between two requests about the samples that run.
const INTERVAL: Duration = Duration::from_millis(100);

/// A sample that was submitted.
struct Running<'a> {
    sample: &'a Sample,
    id: ExecutionId,
    info: Option<Execution>,
    written: Option<String>,
}

impl Running<'_> {
    fn ended(&self) -> bool {
        self.info
            .as_ref()
            .is_some_and(|info| info.public_state.is_terminal())
    }
}

/// Submits the samples and returns when all have ended and their results are written.
pub async fn run(
    context: &Context,
    client: &Client,
    samples: &[Sample],
    results: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(results).map_err(|error| Failure::file("create", results, &error))?;
    let mut running = Vec::new();
    for sample in samples {
        running.push(submit(client, sample).await?);
    }
    let mut above = 0;
    loop {
        for one in running.iter_mut().filter(|one| !one.ended()) {
            refresh(client, one, results).await?;
            if one.ended() && !context.terminal.live && !context.json {
                context.line(&outcome_text(context, one));
            }
        }
        if context.terminal.live && !context.json {
            let rows: Vec<_> = running.iter().map(row).collect();
            let lines = context.terminal.table_lines(&HEADER, &rows);
            context.terminal.redraw(above, &lines);
            above = lines.len();
        }
        if running.iter().all(Running::ended) {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    summary(context, &running, results);
    Ok(())
}

async fn submit<'a>(client: &Client, sample: &'a Sample) -> Result<Running<'a>, Failure> {
    let mut query = vec![("kind", sample.kind.clone())];
    for (key, value) in &sample.tags {
        query.push(("tag", format!("{key}:{value}")));
    }
    let request = Request {
        query,
        headers: Vec::new(),
        body: Some((sample.content_type.clone(), sample.input.clone())),
    };
    let created: CreatedExecution = client
        .send(Method::POST, "/v1/executions", request)
        .await?
        .read()?;
    Ok(Running {
        sample,
        id: created.id,
        info: None,
        written: None,
    })
}

async fn refresh(client: &Client, one: &mut Running<'_>, results: &Path) -> Result<(), Failure> {
    let path = format!("/v1/executions/{}", one.id);
    let info: Execution = client.get(&path, Vec::new()).await?.read()?;
    if Exit::of_state(info.public_state) == Exit::Ok
        && info.public_state.is_terminal()
        && let Some(output) = &one.sample.output
    {
        let result = client.get(&format!("{path}/result"), Vec::new()).await?;
        let path = results.join(output);
        std::fs::write(&path, &result.body)
            .map_err(|error| Failure::file("write", &path, &error))?;
        one.written = Some(format!(
            "{} ({})",
            path.display(),
            format_bytes(result.body.len() as u64)
        ));
    }
    one.info = Some(info);
    Ok(())
}

const HEADER: [&str; 6] = ["KIND", "INPUT", "STATE", "ATTEMPTS", "TOOK", "RESULT"];

fn row(one: &Running<'_>) -> Vec<(Paint, String)> {
    let sample = one.sample;
    let mut cells = vec![
        (Paint::Bold, escape(&sample.kind)),
        (Paint::Plain, escape(&sample.shown)),
    ];
    let Some(info) = &one.info else {
        cells.push((Paint::Dim, "waiting".to_owned()));
        return cells;
    };
    let took = info.finished_at.map(|finished| {
        format_duration(Duration::try_from(finished - info.created_at).unwrap_or_default())
    });
    let outcome = match (&one.written, &info.failure) {
        (Some(written), _) => written.clone(),
        (None, Some(failure)) => escape(&failure.code),
        (None, None) => info
            .progress
            .as_ref()
            .map(progress_text)
            .unwrap_or_default(),
    };
    cells.extend([
        (
            Paint::of_state(info.public_state),
            info.public_state.to_string(),
        ),
        (Paint::Plain, info.attempts.to_string()),
        (Paint::Plain, took.unwrap_or_default()),
        (Paint::Dim, outcome),
    ]);
    cells
}

fn progress_text(progress: &Progress) -> String {
    let percent = progress.percent.map(|percent| format!("{percent} % "));
    let message: String = progress
        .message
        .iter()
        .flat_map(|text| text.chars().take(40))
        .collect();
    format!("{}{}", percent.unwrap_or_default(), escape(&message))
}

fn outcome_text(context: &Context, one: &Running<'_>) -> String {
    let Some(info) = &one.info else {
        return String::new();
    };
    let written = one.written.as_ref().map(|text| format!(" -> {text}"));
    format!(
        "{} {}: {}{}{}",
        escape(&one.sample.kind),
        escape(&one.sample.shown),
        context.terminal.paint(
            Paint::of_state(info.public_state),
            info.public_state.as_str()
        ),
        failure_text(info),
        written.unwrap_or_default(),
    )
}

fn summary(context: &Context, running: &[Running<'_>], results: &Path) {
    if context.json {
        for one in running {
            let line = serde_json::json!({
                "kind": one.sample.kind,
                "id": one.id,
                "state": one.info.as_ref().map(|info| info.public_state),
                "output": one.sample.output,
            });
            context.terminal.json(&line.to_string());
        }
        return;
    }
    let results = std::fs::canonicalize(results).unwrap_or_else(|_| results.to_owned());
    context.line("");
    context.line(&format!(
        "results are in {}",
        context
            .terminal
            .paint(Paint::Bold, &results.display().to_string())
    ));
}
