//! `flowhost watch [ID]`: follows one execution until it ends, all that a host does, or
//! the executions that a filter admits.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use clap::Args;
use model::{ExecutionId, LaneState, PublicState};
use reqwest::StatusCode;

use super::filter::FilterArgs;
use super::list;
use crate::api::{Execution, ExecutionPage, Lane, Lanes};
use crate::cli::io::{
    Answer, Client, Context, Exit, Failure, Paint, escape, format_duration, interruptible,
    output_loss, to_stderr,
};
use crate::duration;

/// Pause between two requests about a host as a whole.
const INTERVAL: Duration = Duration::from_millis(500);
/// Number of executions shown of a host as a whole.
const ROWS: &str = "10";
/// Longest one request waits while nothing is to be shown meanwhile.
const QUIET_MS: &str = "30000";
/// Shortest and longest pause between two tries to reach a host that answered before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longest such a host may be unreachable.
const OUTAGE_MAX: Duration = Duration::from_secs(120);
/// Longest one request waits while progress is shown.
const LIVE_MS: &str = "300";

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

/// Waits no longer than that, if there is a bound.
pub(super) async fn within<T>(
    timeout: Option<Duration>,
    wait: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(timeout) = timeout else {
        return wait.await;
    };
    match tokio::time::timeout(timeout, wait).await {
        Ok(done) => done,
        Err(_) => {
            let message = format!("it has not ended within {}", format_duration(timeout));
            Err(Failure::new(Exit::Timeout, message))
        }
    }
}

/// Waits until an execution has ended; returns it, also as it was answered.
pub async fn finished(client: &Client, id: ExecutionId) -> Result<(Execution, Answer), Failure> {
    loop {
        let answer = retried(|| wait(client, id, QUIET_MS)).await?;
        if answer.status == StatusCode::OK {
            return Ok((answer.read()?, answer));
        }
    }
}

/// Repeats a request while the host is unreachable or its database is, at growing
/// intervals and for [`OUTAGE_MAX`]: the host or another one comes back.
pub async fn retried<F>(request: impl Fn() -> F) -> Result<Answer, Failure>
where
    F: Future<Output = Result<Answer, Failure>>,
{
    let mut since = None;
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .without_max_times()
        .build();
    loop {
        let failure = match request().await {
            Err(failure) if failure.exit == Exit::Unavailable => failure,
            answered => return answered,
        };
        if since.is_some_and(|since: Instant| since.elapsed() >= OUTAGE_MAX) {
            return Err(failure);
        }
        if since.is_none() {
            since = Some(Instant::now());
            to_stderr(&format!(
                "waiting for the host: {}",
                escape(&failure.message)
            ));
        }
        tokio::time::sleep(pauses.next().unwrap_or(PAUSE_MAX)).await;
    }
}

async fn wait(client: &Client, id: ExecutionId, timeout_ms: &str) -> Result<Answer, Failure> {
    let query = vec![("timeout_ms", timeout_ms.to_owned())];
    client
        .get(&format!("/v1/executions/{id}/wait"), query)
        .await
}

async fn one(context: &Context, client: &Client, id: ExecutionId) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let timeout_ms = if context.json { QUIET_MS } else { LIVE_MS };
    let mut shown = String::new();
    // A host that is not there at the beginning is a mistake.
    let mut answer = wait(client, id, "0").await?;
    loop {
        let info: Execution = answer.read()?;
        let ended = answer.status == StatusCode::OK;
        if context.json {
            if ended {
                terminal.json(&answer.text());
            }
        } else {
            let line = progress_line(context, &info);
            if terminal.live {
                terminal.redraw(usize::from(!shown.is_empty()), std::slice::from_ref(&line));
            } else if line != shown {
                terminal.line(&line);
            }
            shown = line;
        }
        // Nothing can be shown any more.
        if ended || output_loss().is_some() {
            return Ok(Exit::of_state(info.public_state));
        }
        answer = retried(|| wait(client, id, timeout_ms)).await?;
    }
}

fn progress_line(context: &Context, info: &Execution) -> String {
    let terminal = context.terminal;
    let state = terminal.paint(
        Paint::of_state(info.public_state),
        info.public_state.as_str(),
    );
    let mut line = format!("{} {} {state}", info.id, escape(&info.kind));
    if info.attempts > 1 {
        line.push_str(&format!(", attempt {}", info.attempts));
    }
    if let Some(progress) = info
        .progress
        .as_ref()
        .filter(|_| !info.public_state.is_terminal())
    {
        if let Some(percent) = progress.percent {
            line.push_str(&format!(", {percent} %"));
        }
        if let Some(message) = &progress.message {
            let short: String = message.chars().take(60).collect();
            line.push_str(&format!(", {}", escape(&short)));
        }
    }
    if let (Some(created), Some(finished)) = (Some(info.created_at), info.finished_at) {
        let took = Duration::try_from(finished - created).unwrap_or_default();
        line.push_str(&format!(" after {}", format_duration(took)));
    }
    line.push_str(&failure_text(info));
    line
}

/// Returns why an execution ended without success; empty if it did not.
pub fn failure_text(info: &Execution) -> String {
    match &info.failure {
        Some(failure) => format!(": {} ({})", escape(&failure.message), escape(&failure.code)),
        None => String::new(),
    }
}

/// On a terminal a table that keeps itself up to date, else a line whenever the
/// load changes. Ends with the process, or when its reader went away.
async fn everything(context: &Context, client: &Client) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let mut above = 0;
    let mut shown = String::new();
    loop {
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
        tokio::time::sleep(INTERVAL).await;
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
    let mut query = filter;
    query.push(("limit", ROWS.to_owned()));
    let mut above = 0;
    let mut shown: HashMap<ExecutionId, PublicState> = HashMap::new();
    loop {
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
        tokio::time::sleep(INTERVAL).await;
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
