//! `flowhost watch [ID]`: follows one execution until it ends, or all that a
//! host does.

use std::time::Duration;

use clap::Args;
use engine::{ExecutionInfo, Lane};
use model::ExecutionId;
use reqwest::StatusCode;
use serde::Deserialize;

use super::Context;
use super::client::{Answer, Client};
use super::exit::{Exit, Failure};
use super::list::{self, Page};
use super::terminal::{Paint, lost, neutralise};
use crate::duration;

/// Between two looks at a host as a whole.
const INTERVAL: Duration = Duration::from_millis(500);
/// Executions shown of a host as a whole.
const ROWS: &str = "10";
/// Longest one request waits while nothing is to be shown meanwhile.
const QUIET_MS: &str = "30000";
/// Longest one request waits while progress is shown.
const LIVE_MS: &str = "300";

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The execution; without one, everything the host does
    id: Option<ExecutionId>,
}

/// Runs the command.
pub async fn run(context: &Context, args: WatchArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    match args.id {
        Some(id) => one(context, &client, id).await,
        None => everything(context, &client).await,
    }
}

/// Waits until an execution has ended; also returns the answer that said so.
pub async fn finished(
    client: &Client,
    id: ExecutionId,
) -> Result<(ExecutionInfo, Answer), Failure> {
    loop {
        let answer = wait(client, id, QUIET_MS).await?;
        if answer.status == StatusCode::OK {
            return Ok((answer.read()?, answer));
        }
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
    loop {
        let answer = wait(client, id, timeout_ms).await?;
        let info: ExecutionInfo = answer.read()?;
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
        if ended || lost().is_some() {
            return Ok(Exit::of_state(info.public_state));
        }
    }
}

fn progress_line(context: &Context, info: &ExecutionInfo) -> String {
    let terminal = context.terminal;
    let state = terminal.paint(
        Paint::of_state(info.public_state),
        info.public_state.as_str(),
    );
    let mut line = format!("{} {} {state}", info.id, neutralise(&info.kind));
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
            line.push_str(&format!(", {}", neutralise(&short)));
        }
    }
    if let (Some(created), Some(finished)) = (Some(info.created_at), info.finished_at) {
        let took = Duration::try_from(finished - created).unwrap_or_default();
        line.push_str(&format!(" after {}", duration::show(took)));
    }
    line.push_str(&why(info));
    line
}

/// Says why an execution ended without success, or nothing.
pub fn why(info: &ExecutionInfo) -> String {
    match &info.failure {
        Some(failure) => format!(
            ": {} ({})",
            neutralise(&failure.message),
            neutralise(&failure.code)
        ),
        None => String::new(),
    }
}

#[derive(Deserialize)]
struct Lanes {
    lanes: Vec<Lane>,
}

/// On a terminal a table that keeps itself up to date, else a line whenever the
/// load changes. Ends with the process, or when nobody reads it any more.
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
            let page: Page = client.get("/v1/executions", query).await?.read()?;
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
        if lost().is_some() {
            return Ok(Exit::Ok);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn lane_line(lane: &Lane) -> String {
    let state = match lane.state {
        engine::LaneState::Active => String::new(),
        state => format!(" ({})", state.as_str()),
    };
    format!(
        "{}{state}: {} waiting, {} active",
        neutralise(&lane.name),
        lane.waiting,
        lane.active
    )
}
