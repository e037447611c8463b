//! `flowhost suspended`: executions that wait for signals, the longest waiting first.

use clap::Args;

use crate::api::{SuspendedExecution, SuspendedExecutions};
use crate::cli::io::{Context, Exit, Failure, PageArgs, Paint, escape, format_time};

/// Arguments of `suspended`.
#[derive(Debug, Args)]
pub struct SuspendedArgs {
    /// Only those in this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: SuspendedArgs) -> Result<Exit, Failure> {
    let within = context
        .namespace(args.namespace)
        .map(|it| ("namespace", it));
    let within = within.into_iter().collect();
    let none = "nothing is suspended";
    let header = ["ID", "KIND", "WAITS FOR", "REASON", "SINCE", "UNTIL"];
    let show = |page: &SuspendedExecutions| context.rows(&page.executions, none, &header, row);
    let path = "/v1/suspended";
    args.page.show(context, path, within, "", show).await
}

fn row(suspended: &SuspendedExecution) -> Vec<(Paint, String)> {
    let reason = suspended.reason.as_deref().map(escape);
    let until = suspended.timeout_at.map(format_time);
    vec![
        (Paint::Plain, suspended.execution_id.to_string()),
        (Paint::Bold, escape(&suspended.kind)),
        (Paint::Plain, suspended.blocking_reason.to_string()),
        (Paint::Plain, reason.unwrap_or_default()),
        (Paint::Dim, format_time(suspended.suspended_at)),
        (Paint::Dim, until.unwrap_or_else(|| "-".to_owned())),
    ]
}
