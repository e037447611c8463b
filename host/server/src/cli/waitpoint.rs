//! `flowhost waitpoints`: where signals arrive, and who may send them.

use std::time::Duration;

use clap::{Args, Subcommand};
use model::{ExecutionId, WaitpointState};
use reqwest::Method;

use super::Context;
use super::client::path_of;
use super::exit::{Exit, Failure};
use super::list::hidden;
use super::operate::actor;
use super::terminal::{Paint, neutralise, when};
use crate::api::{
    Execution, MintWaitpointToken, MintedWaitpointToken, OperateExecution, PendingWaitpoints,
    Waitpoint,
};
use crate::duration;

/// Arguments of `waitpoints`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WaitpointsArgs {
    #[command(flatten)]
    list: ListArgs,
    #[command(subcommand)]
    command: Option<WaitpointCommand>,
}

/// Which to list.
#[derive(Debug, Args)]
struct ListArgs {
    /// Those of this execution [default: the pending ones of all]
    execution: Option<ExecutionId>,
    /// Only those that no suspension waited at yet
    #[arg(long)]
    pending: bool,
    /// In this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Rows to show, of the pending ones of all
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, conflicts_with = "execution", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR", conflicts_with = "execution")]
    after: Option<String>,
}

/// What to do with a waitpoint.
#[derive(Debug, Subcommand)]
enum WaitpointCommand {
    /// Have a waitpoint take no more signals
    Close {
        #[command(flatten)]
        which: Which,
    },
    /// Make another token for a waitpoint, and the URL to post to
    Token(TokenArgs),
}

/// Which waitpoint, and why.
#[derive(Debug, Args)]
struct Which {
    /// The execution
    execution: ExecutionId,
    /// Its waitpoint, by id or key
    waitpoint: String,
    /// Why; kept with the execution
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Arguments of `waitpoints token`.
#[derive(Debug, Args)]
struct TokenArgs {
    #[command(flatten)]
    which: Which,
    /// A name of signals it may send; may repeat [default: any]
    #[arg(long = "signal", value_name = "NAME")]
    signal_names: Vec<String>,
    /// How long it holds [default: as long as its waitpoint and its key]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires_in: Option<Duration>,
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
    let terminal = context.terminal;
    let mut query: Vec<_> = args
        .namespace
        .into_iter()
        .map(|it| ("namespace", it))
        .collect();
    let path = match args.execution {
        Some(id) => format!("/v1/executions/{id}/waitpoints"),
        None => {
            query.push(("limit", args.limit.to_string()));
            query.extend(args.after.map(|it| ("after", it)));
            "/v1/waitpoints".to_owned()
        }
    };
    // The answers differ only in their cursor.
    let mut page: PendingWaitpoints = context.client()?.get(&path, query).await?.read()?;
    if args.pending {
        page.waitpoints
            .retain(|waitpoint| waitpoint.state == WaitpointState::Pending);
    }
    if context.json {
        let text = serde_json::to_string(&page);
        let text = text.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        terminal.json(&text);
        return Ok(Exit::Ok);
    }
    if page.waitpoints.is_empty() {
        terminal.line("no waitpoints");
    } else if args.execution.is_some() {
        for line in lines(context, &page.waitpoints) {
            terminal.line(&line);
        }
    } else {
        pending(context, &page.waitpoints);
    }
    hidden(&page.unreadable);
    if let Some(next) = page.next_cursor {
        let more = format!("more with --after {}", neutralise(&next));
        terminal.line(&terminal.paint(Paint::Dim, &more));
    }
    Ok(Exit::Ok)
}

fn pending(context: &Context, waitpoints: &[Waitpoint]) {
    let rows: Vec<_> = waitpoints
        .iter()
        .map(|waitpoint| {
            vec![
                (Paint::Plain, waitpoint.execution_id.to_string()),
                (Paint::Bold, neutralise(&waitpoint.waitpoint_key)),
                (Paint::Plain, neutralise(&waitpoint.namespace)),
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
    let header = ["KEY", "STATE", "SIGNALS", "LAST", "UNTIL", "ID"];
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
        (Paint::Bold, neutralise(&waitpoint.waitpoint_key)),
        (paint, state),
        (Paint::Plain, waitpoint.signals.to_string()),
        (Paint::Dim, optional(waitpoint.last_signal_at)),
        (
            Paint::Dim,
            optional(waitpoint.closed_at.or(waitpoint.expires_at)),
        ),
        (Paint::Plain, waitpoint.waitpoint_id.to_string()),
    ]
}

fn optional(at: Option<time::OffsetDateTime>) -> String {
    at.map_or_else(|| "-".to_owned(), when)
}

async fn close(context: &Context, which: Which) -> Result<Exit, Failure> {
    let path = which.path("close")?;
    let body = OperateExecution {
        actor: actor(),
        reason: which.reason,
    };
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, &body).await?;
    if context.json {
        context.terminal.json(&answer.text());
    } else {
        let info: Execution = answer.read()?;
        context
            .terminal
            .line(&format!("closed; {} is {}", info.id, info.public_state));
    }
    Ok(Exit::Ok)
}

async fn token(context: &Context, args: TokenArgs) -> Result<Exit, Failure> {
    let path = args.which.path("token")?;
    let body = MintWaitpointToken {
        signal_names: args.signal_names,
        expires_in_ms: args.expires_in.map(|it| it.as_millis() as u64),
        actor: actor(),
        reason: args.which.reason,
    };
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, &body).await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let minted: MintedWaitpointToken = answer.read()?;
    context.terminal.line(&neutralise(&minted.waitpoint_token));
    context.terminal.line(&neutralise(&minted.callback_url));
    Ok(Exit::Ok)
}

impl Which {
    fn path(&self, verb: &str) -> Result<String, Failure> {
        // These lead up in a path, however they are written.
        if matches!(self.waitpoint.as_str(), "" | "." | "..") {
            return Err(Failure::usage("name this waitpoint by its id"));
        }
        let collection = format!("/v1/executions/{}/waitpoints", self.execution);
        Ok(format!("{}/{verb}", path_of(&collection, &self.waitpoint)))
    }
}
