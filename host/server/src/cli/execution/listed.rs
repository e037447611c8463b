//! What is kept about one execution, list by list: `attempts`, `history`, `operations`,
//! `signals` and `suspensions`. `show` has all of them together.

use clap::Args;
use model::ExecutionId;

use super::show::{attempt, operations, signals, suspensions};
use crate::api::{Attempts, History, HistoryEntry, Listing, Operations, Signals, Suspensions};
use crate::cli::io::{Context, Exit, Failure, PageArgs, Paint, escape, format_time};

/// Which list, and which of its pages.
#[derive(Debug, Args)]
pub struct ListedArgs {
    /// Id of the execution
    id: ExecutionId,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs `attempts`.
pub async fn attempts(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let show = |list: &Attempts| {
        if list.attempts.is_empty() {
            context.line("no attempt yet");
        }
        for one in &list.attempts {
            attempt(context, one);
        }
    };
    args.show(context, "attempt", show).await
}

/// Runs `history`.
pub async fn history(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let show = |list: &History| {
        let rows: Vec<_> = list.history.iter().map(row).collect();
        let header = ["AT", "WHAT", "ATTEMPT", "WORKER", "DETAIL"];
        context.terminal.table(&header, &rows);
    };
    args.show(context, "entry", show).await
}

fn row(entry: &HistoryEntry) -> Vec<(Paint, String)> {
    let attempt = entry
        .attempt
        .map_or_else(|| "-".to_owned(), |it| it.to_string());
    let text = |of: &Option<String>| of.as_deref().map(escape).unwrap_or_default();
    vec![
        (Paint::Dim, format_time(entry.at)),
        (Paint::Bold, escape(&entry.what)),
        (Paint::Plain, attempt),
        (Paint::Plain, text(&entry.worker_instance_id)),
        (Paint::Plain, text(&entry.detail)),
    ]
}

/// Runs `operations`.
pub async fn operations_of(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let show = |list: &Operations| {
        if list.operations.is_empty() {
            context.line("no operator did anything to it");
        }
        operations(context, &list.operations);
    };
    args.show(context, "operation", show).await
}

/// Runs `signals`.
pub async fn signals_of(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let show = |list: &Signals| {
        if list.signals.is_empty() {
            context.line("no signals");
        }
        signals(context, &list.signals);
    };
    args.show(context, "signal", show).await
}

/// Runs `suspensions`.
pub async fn suspensions_of(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let show = |list: &Suspensions| {
        if list.suspensions.is_empty() {
            context.line("it was never suspended");
        }
        suspensions(context, &list.suspensions);
    };
    args.show(context, "suspension", show).await
}

impl ListedArgs {
    async fn show<P: Listing>(
        self,
        context: &Context,
        what: &str,
        show: impl FnOnce(&P),
    ) -> Result<Exit, Failure> {
        let path = format!("/v1/executions/{}/{}", self.id, P::ROWS);
        self.page.show(context, &path, Vec::new(), what, show).await
    }
}
