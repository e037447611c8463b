//! `flowhost list`: executions, the last created or finished first.

use std::time::Duration;

use clap::Args;

use super::filter::FilterArgs;
use crate::api::{Execution, ExecutionPage};
use crate::cli::io::{
    Context, Exit, Failure, Paint, REQUESTS_MAX, escape, format_duration, format_time,
    name_unreadable,
};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Number of rows to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue after the page before
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    // Once for all requests: a cursor belongs to one filter.
    let filter = args.filter.query(context)?;
    let request = async |limit: usize, after: Option<String>| {
        let mut query = filter.clone();
        query.push(("limit", limit.to_string()));
        query.extend(after.map(|after| ("after", after)));
        client.get("/v1/executions", query).await
    };
    let limit = args.limit as usize;
    let answer = request(limit, args.after).await?;
    let mut page: ExecutionPage = answer.read()?;
    let mut requests = 1;
    // A page that ended because the host looks at so many executions for one request only
    // is continued.
    while let (Some(examined), Some(after)) = (page.examined, &page.next_cursor)
        && page.executions.len() < limit
        && requests < REQUESTS_MAX
    {
        let rest = limit - page.executions.len();
        let more: ExecutionPage = request(rest, Some(after.clone())).await?.read()?;
        page.executions.extend(more.executions);
        page.unreadable.extend(more.unreadable);
        page.examined = more.examined.map(|more| examined + more);
        page.next_cursor = more.next_cursor;
        requests += 1;
    }
    if context.json && requests > 1 {
        context.terminal.json_of(&page)?;
        return Ok(Exit::Ok);
    }
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    if page.executions.is_empty() {
        context.line("no executions");
    } else {
        for line in lines(context, &page.executions) {
            context.line(&line);
        }
    }
    name_unreadable("", &page.unreadable);
    let found = page.executions.len();
    if let Some(examined) = page.examined
        && found < limit
    {
        let line = format!("looked at {examined} executions, found {found}; more may follow");
        context.line(&context.terminal.paint(Paint::Dim, &line));
    }
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
