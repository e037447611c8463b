//! What is kept about one execution, list by list: `attempts`, `history`, `operations`,
//! `signals` and `suspensions`. `show` has all of them together.

use clap::Args;
use model::ExecutionId;

use super::show::{attempt, operations, signals, suspensions};
use crate::api::{Attempts, History, HistoryEntry, Operations, Signals, Suspensions};
use crate::cli::io::{
    Answer, Context, Exit, Failure, PageArgs, Paint, escape, format_time, name_unreadable_as,
    show_page,
};

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
    let answer = read(context, args, "attempts").await?;
    show_page(context, &answer, || {
        let list: Attempts = answer.read()?;
        if list.attempts.is_empty() {
            context.line("no attempt yet");
        }
        for one in &list.attempts {
            attempt(context, one);
        }
        name_unreadable_as("attempt", &list.unreadable);
        Ok(())
    })
}

/// Runs `history`.
pub async fn history(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let answer = read(context, args, "history").await?;
    show_page(context, &answer, || {
        let list: History = answer.read()?;
        let rows: Vec<_> = list.history.iter().map(row).collect();
        let header = ["AT", "WHAT", "ATTEMPT", "WORKER", "DETAIL"];
        context.terminal.table(&header, &rows);
        name_unreadable_as("entry", &list.unreadable);
        Ok(())
    })
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
    let answer = read(context, args, "operations").await?;
    show_page(context, &answer, || {
        let list: Operations = answer.read()?;
        if list.operations.is_empty() {
            context.line("no operator did anything to it");
        }
        operations(context, &list.operations);
        name_unreadable_as("operation", &list.unreadable);
        Ok(())
    })
}

/// Runs `signals`.
pub async fn signals_of(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let answer = read(context, args, "signals").await?;
    show_page(context, &answer, || {
        let list: Signals = answer.read()?;
        if list.signals.is_empty() {
            context.line("no signals");
        }
        signals(context, &list.signals);
        name_unreadable_as("signal", &list.unreadable);
        Ok(())
    })
}

/// Runs `suspensions`.
pub async fn suspensions_of(context: &Context, args: ListedArgs) -> Result<Exit, Failure> {
    let answer = read(context, args, "suspensions").await?;
    show_page(context, &answer, || {
        let list: Suspensions = answer.read()?;
        if list.suspensions.is_empty() {
            context.line("it was never suspended");
        }
        suspensions(context, &list.suspensions);
        name_unreadable_as("suspension", &list.unreadable);
        Ok(())
    })
}

async fn read(context: &Context, args: ListedArgs, what: &str) -> Result<Answer, Failure> {
    let path = format!("/v1/executions/{}/{what}", args.id);
    let client = context.client()?;
    args.page.read(&client, &path, Vec::new(), what).await
}
