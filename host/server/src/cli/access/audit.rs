//! `flowhost audit`: who did what, and whom the door refused.

use clap::Args;

use crate::api::{AuditEntries, AuditEntry, RefusedRequestSums, RefusedRequests};
use crate::cli::execution::filter::When;
use crate::cli::io::{Context, Exit, Failure, PageArgs, Paint, escape, format_time};

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost audit --since 1d
  flowhost audit --credential key:ci --verb executions_cancel
  flowhost audit --refusals --since 1h")]
pub struct AuditArgs {
    /// Only what this credential did or was refused, such as key:ci
    #[arg(long, value_name = "NAME")]
    credential: Option<String>,
    /// Only this operation, by its operation id in the API
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,
    /// Only what was done in this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only since then: a time, or how long ago, such as 1h
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    since: Option<When>,
    /// Only before then, as --since is written
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    until: Option<When>,
    /// Instead, how many requests had a credential that was not accepted, by minute and
    /// address
    #[arg(long, conflicts_with_all = ["credential", "verb", "namespace"])]
    refusals: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: AuditArgs) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(args.since.map(|when| ("since", when.text())));
    query.extend(args.until.map(|when| ("until", when.text())));
    if args.refusals {
        return refusals(context, args.page, query).await;
    }
    let namespace = context.namespace(args.namespace);
    query.extend(namespace.map(|it| ("namespace", it)));
    query.extend(args.credential.map(|it| ("credential", it)));
    query.extend(args.verb.map(|it| ("verb", it)));
    let none = "no entries";
    let header = [
        "AT",
        "CREDENTIAL",
        "VERB",
        "TARGET",
        "OUTCOME",
        "ADDRESS",
        "NOTE",
    ];
    let show = |page: &AuditEntries| context.rows(&page.entries, none, &header, row);
    let page = args.page;
    page.show(context, "/v1/audit", query, "entry", show).await
}

fn row(entry: &AuditEntry) -> Vec<(Paint, String)> {
    let text = |of: &Option<String>| of.as_deref().map_or_else(|| "-".to_owned(), escape);
    let paint = match entry.outcome.as_deref() {
        Some("done") => Paint::Green,
        Some(_) => Paint::Red,
        None => Paint::Yellow,
    };
    let outcome = entry.outcome.as_deref().unwrap_or("unknown");
    vec![
        (Paint::Dim, format_time(entry.at)),
        (Paint::Bold, text(&entry.credential)),
        (Paint::Plain, escape(&entry.verb)),
        (Paint::Plain, text(&entry.target)),
        (paint, escape(outcome)),
        (
            Paint::Dim,
            entry
                .address
                .map_or_else(|| "-".to_owned(), |it| it.to_string()),
        ),
        (Paint::Dim, text(&entry.note)),
    ]
}

async fn refusals(
    context: &Context,
    page: PageArgs,
    query: Vec<(&'static str, String)>,
) -> Result<Exit, Failure> {
    let none =
        "no refused credential is recorded; a host records what it counted every five seconds";
    let header = ["MINUTE", "ADDRESS", "REASON", "COUNT"];
    let show = |page: &RefusedRequestSums| context.rows(&page.refusals, none, &header, refusal);
    let path = "/v1/audit/refusals";
    page.show(context, path, query, "sum", show).await
}

fn refusal(sum: &RefusedRequests) -> Vec<(Paint, String)> {
    vec![
        (Paint::Dim, format_time(sum.minute)),
        (Paint::Bold, escape(&sum.address)),
        (Paint::Plain, escape(&sum.reason)),
        (Paint::Plain, sum.count.to_string()),
    ]
}
