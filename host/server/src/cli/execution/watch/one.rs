//! One execution, followed until it ends; and requests that are repeated until a host is
//! there again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use model::ExecutionId;
use reqwest::StatusCode;

use crate::api::Execution;
use crate::cli::io::{
    Answer, Client, Context, Exit, Failure, Paint, escape, format_duration, output_loss, to_stderr,
};

/// Longest one request waits while nothing is to be shown meanwhile.
const QUIET_MS: &str = "30000";
/// Shortest and longest pause between two tries to reach a host that answered before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longest such a host may be unreachable.
const OUTAGE_MAX: Duration = Duration::from_secs(120);
/// Longest one request waits while progress is shown.
const LIVE_MS: &str = "300";

/// Waits no longer than that, if there is a bound.
pub async fn within<T>(
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

/// Shows an execution until it has ended.
pub(super) async fn one(
    context: &Context,
    client: &Client,
    id: ExecutionId,
) -> Result<Exit, Failure> {
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

/// Describes an execution in a line.
pub(super) fn progress_line(context: &Context, info: &Execution) -> String {
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
