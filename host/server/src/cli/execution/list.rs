//! `flowhost list`: executions, newest first.

use std::time::Duration;

use clap::Args;
use model::PublicState;

use crate::api::{Execution, ExecutionPage};
use crate::cli::io::{
    Context, Exit, Failure, Paint, escape, format_duration, format_time, name_unreadable,
};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those in this state, such as failed
    #[arg(long, value_name = "STATE")]
    state: Option<PublicState>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only those in this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Only those in this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only those with this label, owner.name=value
    #[arg(long, value_name = "K=V")]
    tag: Option<String>,
    /// Number of rows to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue after the page before
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
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let page: ExecutionPage = answer.read()?;
    if page.executions.is_empty() {
        context.line("no executions");
    } else {
        for line in lines(context, &page.executions) {
            context.line(&line);
        }
    }
    name_unreadable(&page.unreadable);
    context.next_page(page.next_cursor.as_deref());
    Ok(Exit::Ok)
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
        format_duration(Duration::try_from(finished - info.created_at).unwrap_or_default())
    });
    let note = match &info.failure {
        Some(failure) => escape(&failure.code),
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
        (Paint::Bold, escape(&info.kind)),
        (
            Paint::of_state(info.public_state),
            info.public_state.to_string(),
        ),
        (Paint::Plain, escape(&info.lane)),
        (Paint::Plain, info.attempts.to_string()),
        (Paint::Dim, format_time(info.created_at)),
        (Paint::Plain, took.unwrap_or_default()),
        (Paint::Dim, note),
    ]
}
