//! `flowhost waitpoints`: lists waitpoints, where signals arrive.

use clap::Args;
use model::{ExecutionId, WaitpointState};

use super::manage::{WaitpointCommand, close, token};
use crate::api::{PendingWaitpoints, Waitpoint};
use crate::cli::io::{Context, Exit, Failure, PageArgs, Paint, escape, format_time};

/// Arguments of `waitpoints`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WaitpointsArgs {
    #[command(flatten)]
    list: ListArgs,
    #[command(subcommand)]
    command: Option<WaitpointCommand>,
}

/// Which waitpoints to list.
#[derive(Debug, Args)]
struct ListArgs {
    /// Those of this execution [default: the pending ones of all]
    execution: Option<ExecutionId>,
    /// Only those that no suspension is bound to yet
    #[arg(long)]
    pending: bool,
    /// Only those in this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: WaitpointsArgs) -> Result<Exit, Failure> {
    match args.command {
        Some(WaitpointCommand::Close { which }) => close(context, which).await,
        Some(WaitpointCommand::Token(args)) => token(context, args).await,
        None => list(context, args.list).await,
    }
}

async fn list(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let mut query: Vec<_> = context
        .namespace(args.namespace)
        .into_iter()
        .map(|it| ("namespace", it))
        .collect();
    let path = match args.execution {
        Some(id) => {
            if args.pending {
                query.push(("state", WaitpointState::Pending.to_string()));
            }
            format!("/v1/executions/{id}/waitpoints")
        }
        None => "/v1/waitpoints".to_owned(),
    };
    // The answers of both paths have the same form.
    let show = |page: &PendingWaitpoints| {
        if page.waitpoints.is_empty() {
            context.line("no waitpoints");
        } else if args.execution.is_some() {
            for line in lines(context, &page.waitpoints) {
                context.line(&line);
            }
        } else {
            pending(context, &page.waitpoints);
        }
    };
    args.page.show(context, &path, query, "", show).await
}

fn pending(context: &Context, waitpoints: &[Waitpoint]) {
    let rows: Vec<_> = waitpoints
        .iter()
        .map(|waitpoint| {
            vec![
                (Paint::Plain, waitpoint.execution_id.to_string()),
                (Paint::Bold, escape(&waitpoint.waitpoint_key)),
                (Paint::Plain, escape(&waitpoint.namespace)),
                (Paint::Plain, waitpoint.signals.to_string()),
                (Paint::Dim, optional(waitpoint.expires_at)),
            ]
        })
        .collect();
    let header = ["EXECUTION", "KEY", "NAMESPACE", "SIGNALS", "EXPIRES"];
    context.terminal.table(&header, &rows);
}

/// Lays the waitpoints of an execution out as a table.
pub fn lines(context: &Context, waitpoints: &[Waitpoint]) -> Vec<String> {
    let rows: Vec<_> = waitpoints.iter().map(row).collect();
    let header = [
        "KEY",
        "STATE",
        "WAITS FOR",
        "SIGNALS",
        "LAST",
        "UNTIL",
        "ID",
    ];
    context.terminal.table_lines(&header, &rows)
}

fn row(waitpoint: &Waitpoint) -> Vec<(Paint, String)> {
    let paint = match waitpoint.state {
        WaitpointState::Pending => Paint::Yellow,
        WaitpointState::Active => Paint::Cyan,
        WaitpointState::Closed | WaitpointState::Expired => Paint::Dim,
    };
    let state = match waitpoint.close_reason {
        Some(reason) => format!("{} ({reason})", waitpoint.state),
        None => waitpoint.state.to_string(),
    };
    vec![
        (Paint::Bold, escape(&waitpoint.waitpoint_key)),
        (paint, state),
        (Paint::Plain, awaited(waitpoint)),
        (Paint::Plain, waitpoint.signals.to_string()),
        (Paint::Dim, optional(waitpoint.last_signal_at)),
        (
            Paint::Dim,
            optional(waitpoint.closed_at.or(waitpoint.expires_at)),
        ),
        (Paint::Plain, waitpoint.waitpoint_id.to_string()),
    ]
}

/// Names the signals that a waitpoint waits for.
fn awaited(waitpoint: &Waitpoint) -> String {
    match (waitpoint.state, waitpoint.required_signal_names.as_slice()) {
        (WaitpointState::Active, []) => "any".to_owned(),
        (WaitpointState::Active, names) => escape(&names.join(", ")),
        _ => "-".to_owned(),
    }
}

fn optional(at: Option<time::OffsetDateTime>) -> String {
    at.map_or_else(|| "-".to_owned(), format_time)
}
