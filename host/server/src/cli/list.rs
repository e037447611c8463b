//! `flowhost list`: executions, newest first.

use std::time::Duration;

use clap::Args;
use model::PublicState;

use super::Context;
use super::exit::{Exit, Failure};
use super::terminal::{Paint, complain, neutralise, when};
use crate::api::{Execution, ExecutionPage, Unreadable};
use crate::duration;

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// In this state, such as failed
    #[arg(long, value_name = "STATE")]
    state: Option<PublicState>,
    /// Of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// In this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// In this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// With this label, owner.name=value
    #[arg(long, value_name = "K=V")]
    tag: Option<String>,
    /// Rows to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.state.map(|it| ("state", it.to_string())));
    query.extend(args.kind.map(|it| ("kind", it)));
    query.extend(args.lane.map(|it| ("lane", it)));
    query.extend(args.namespace.map(|it| ("namespace", it)));
    query.extend(args.after.map(|it| ("after", it)));
    if let Some(tag) = args.tag {
        let (key, value) = tag
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--tag {tag}: write owner.name=value")))?;
        query.push(("tag", format!("{key}:{value}")));
    }
    let answer = context.client()?.get("/v1/executions", query).await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let page: ExecutionPage = answer.read()?;
    if page.executions.is_empty() {
        context.terminal.line("no executions");
    } else {
        for line in lines(context, &page.executions) {
            context.terminal.line(&line);
        }
    }
    hidden(&page.unreadable);
    if let Some(next) = page.next_cursor {
        let more = format!("more with --after {}", neutralise(&next));
        context
            .terminal
            .line(&context.terminal.paint(Paint::Dim, &more));
    }
    Ok(Exit::Ok)
}

/// Complains of rows that cannot be shown.
pub fn hidden(rows: &[Unreadable]) {
    for row in rows {
        let (id, detail) = (neutralise(&row.id), neutralise(&row.detail));
        complain(&format!("{id} cannot be shown: {detail}"));
    }
}

/// The same for rows that are known by their kind and a number.
pub fn hidden_as(what: &str, rows: &[Unreadable]) {
    for row in rows {
        let (id, detail) = (neutralise(&row.id), neutralise(&row.detail));
        complain(&format!("{what} {id} cannot be shown: {detail}"));
    }
}

/// Lays executions out as a table.
pub fn lines(context: &Context, executions: &[Execution]) -> Vec<String> {
    let rows: Vec<_> = executions.iter().map(row).collect();
    let header = [
        "ID", "KIND", "STATE", "LANE", "ATTEMPTS", "CREATED", "TOOK", "",
    ];
    context.terminal.table_lines(&header, &rows)
}

fn row(info: &Execution) -> Vec<(Paint, String)> {
    let took = info.finished_at.map(|finished| {
        duration::show(Duration::try_from(finished - info.created_at).unwrap_or_default())
    });
    let note = match &info.failure {
        Some(failure) => neutralise(&failure.code),
        None => match &info.progress {
            Some(progress) if !info.public_state.is_terminal() => progress
                .percent
                .map(|percent| format!("{percent} %"))
                .unwrap_or_default(),
            _ => String::new(),
        },
    };
    vec![
        (Paint::Plain, info.id.to_string()),
        (Paint::Bold, neutralise(&info.kind)),
        (
            Paint::of_state(info.public_state),
            info.public_state.to_string(),
        ),
        (Paint::Plain, neutralise(&info.lane)),
        (Paint::Plain, info.attempts.to_string()),
        (Paint::Dim, when(info.created_at)),
        (Paint::Plain, took.unwrap_or_default()),
        (Paint::Dim, note),
    ]
}
