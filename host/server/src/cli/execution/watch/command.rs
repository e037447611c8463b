//! `flowhost watch [ID]`: follows one execution until it ends, all that a host does, or
//! the executions that a filter admits.
//!
//! Figures are read again when the log of events says that something changed.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use model::{ExecutionId, LaneState, PublicState};

use super::changes::Changes;
use super::one::{one, progress_line, within};
use crate::api::{ExecutionPage, Lane, Lanes};
use crate::cli::execution::filter::FilterArgs;
use crate::cli::execution::list;
use crate::cli::io::{Client, Context, Exit, Failure, Paint, escape, interruptible, output_loss};
use crate::duration;

/// Number of executions shown of a host as a whole.
const ROWS: &str = "10";

/// Arguments of `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost watch
  flowhost watch ID --timeout 10m
  flowhost --json watch ID

Ends with the execution; the exit code is that of its outcome.")]
pub struct WatchArgs {
    /// The execution; without one, everything the host does, or the newest executions that
    /// the filters admit
    #[arg(conflicts_with = "FilterArgs")]
    id: Option<ExecutionId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Give up after so long; the execution continues
    #[arg(long, value_name = "DURATION", requires = "id", value_parser = duration::parse)]
    timeout: Option<Duration>,
}

/// Runs the command.
pub async fn run(context: &Context, args: WatchArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    match args.id {
        Some(id) => {
            let watched = within(args.timeout, one(context, &client, id));
            let watched = interruptible(watched).await;
            watched.map_err(|failure| failure.about(id))
        }
        None => match args.filter.query(context)? {
            none if none.is_empty() => interruptible(everything(context, &client)).await,
            filter => interruptible(filtered(context, &client, filter)).await,
        },
    }
}

/// On a terminal a table that keeps itself up to date, else a line whenever the
/// load changes. Ends with the process, or when its reader went away.
async fn everything(context: &Context, client: &Client) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let changes = Changes::of(client, &[]);
    let mut above = 0;
    let mut shown = String::new();
    loop {
        let mark = changes.mark().await;
        let answer = client
            .get("/v1/lanes", vec![("limit", "1000".to_owned())])
            .await?;
        let lanes: Lanes = answer.read()?;
        let load: Vec<String> = lanes.lanes.iter().map(lane_line).collect();
        let load = if load.is_empty() {
            "nothing has run yet".to_owned()
        } else {
            load.join(", ")
        };
        if terminal.live && !context.json {
            let query = vec![("limit", ROWS.to_owned())];
            let page: ExecutionPage = client.get("/v1/executions", query).await?.read()?;
            let mut lines = vec![terminal.paint(Paint::Bold, &load)];
            lines.extend(list::lines(context, &page.executions));
            terminal.redraw(above, &lines);
            above = lines.len();
        } else if load != shown {
            if context.json {
                terminal.json(&answer.text());
            } else {
                terminal.line(&load);
            }
            shown = load;
        }
        if output_loss().is_some() {
            return Ok(Exit::Ok);
        }
        changes.after(mark).await;
    }
}

/// On a terminal a table of the newest executions that a filter admits, which keeps itself
/// up to date; else each of them when it appears and when its state changes. Ends as
/// [`everything`] does.
async fn filtered(
    context: &Context,
    client: &Client,
    filter: Vec<(&'static str, String)>,
) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let changes = Changes::of(client, &filter);
    let mut query = filter;
    query.push(("limit", ROWS.to_owned()));
    let mut above = 0;
    let mut shown: HashMap<ExecutionId, PublicState> = HashMap::new();
    loop {
        let mark = changes.mark().await;
        let page: ExecutionPage = client.get("/v1/executions", query.clone()).await?.read()?;
        if terminal.live && !context.json {
            let lines = list::lines(context, &page.executions);
            terminal.redraw(above, &lines);
            above = lines.len();
        } else {
            let states: HashMap<_, _> = page
                .executions
                .iter()
                .map(|info| (info.id, info.public_state))
                .collect();
            // The one that appeared first is told of first.
            for info in page.executions.iter().rev() {
                if shown.get(&info.id) == Some(&info.public_state) {
                    continue;
                }
                if context.json {
                    terminal.json_of(info)?;
                } else {
                    terminal.line(&progress_line(context, info));
                }
            }
            shown = states;
        }
        if output_loss().is_some() {
            return Ok(Exit::Ok);
        }
        changes.after(mark).await;
    }
}

fn lane_line(lane: &Lane) -> String {
    let state = match lane.state {
        LaneState::Active => String::new(),
        state => format!(" ({})", state.as_str()),
    };
    format!(
        "{}{state}: {} waiting, {} active",
        escape(&lane.name),
        lane.waiting,
        lane.active
    )
}
