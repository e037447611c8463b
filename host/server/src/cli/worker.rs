//! `flowhost worker`: lists and shows workers, and marks them dead.

use clap::{Args, Subcommand};
use reqwest::Method;

use super::Context;
use super::client::Client;
use super::exit::{Exit, Failure};
use super::list::hidden;
use super::terminal::{Paint, neutralise, when};
use crate::api::{DeadWorker, MarkWorkerDead, Worker, WorkerPage};

/// What to do with workers.
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// List workers by the names of their instances
    List(ListArgs),
    /// Show a worker
    Show(ShowArgs),
    /// Mark a worker dead
    Dead(DeadArgs),
}

/// Arguments of `worker list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// That work for this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// That serve this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Also those that are dead
    #[arg(long)]
    all: bool,
    /// Rows to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Arguments of `worker show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The instance
    instance: String,
}

/// Arguments of `worker dead`.
#[derive(Debug, Args)]
pub struct DeadArgs {
    /// The instance
    instance: String,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// End its leases now, so that others take over at once
    #[arg(long)]
    revoke_leases: bool,
}

/// Runs the command.
pub async fn run(context: &Context, command: WorkerCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        WorkerCommand::List(args) => list(context, &client, args).await,
        WorkerCommand::Show(args) => show(context, &client, &args.instance).await,
        WorkerCommand::Dead(args) => dead(context, &client, args).await,
    }
}

async fn list(context: &Context, client: &Client, args: ListArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.namespace.map(|it| ("namespace", it)));
    query.extend(args.lane.map(|it| ("lane", it)));
    query.extend(args.after.map(|it| ("after", it)));
    if !args.all {
        query.push(("live", "true".to_owned()));
    }
    let answer = client.get("/v1/workers", query).await?;
    if context.json {
        terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let page: WorkerPage = answer.read()?;
    hidden(&page.unreadable);
    if page.workers.is_empty() {
        terminal.line("no workers");
        return Ok(Exit::Ok);
    }
    let rows: Vec<_> = page
        .workers
        .iter()
        .map(|worker| {
            vec![
                (Paint::Plain, neutralise(&worker.worker_instance_id)),
                (Paint::Plain, neutralise(&worker.worker_id)),
                (Paint::Plain, worker.worker_type.to_string()),
                state(worker),
                (Paint::Bold, listed(&worker.kinds, "none")),
                (Paint::Plain, listed(&worker.lanes, "all")),
                (Paint::Plain, worker.leases.to_string()),
                (Paint::Dim, when(worker.heartbeat_at)),
            ]
        })
        .collect();
    let header = [
        "INSTANCE", "WORKER", "TYPE", "STATE", "KINDS", "LANES", "LEASES", "HEARD",
    ];
    terminal.table(&header, &rows);
    if let Some(next) = page.next_cursor {
        let more = format!("more with --after {}", neutralise(&next));
        terminal.line(&terminal.paint(Paint::Dim, &more));
    }
    Ok(Exit::Ok)
}

async fn show(context: &Context, client: &Client, instance: &str) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let answer = client.get(&path(instance), Vec::new()).await?;
    if context.json {
        terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let worker: Worker = answer.read()?;
    let field = |name: &str, value: &str| {
        let name = terminal.paint(Paint::Dim, &format!("{name:<12}"));
        terminal.line(&format!("{name} {value}"));
    };
    let (paint, text) = state(&worker);
    field("instance", &neutralise(&worker.worker_instance_id));
    field("worker", &neutralise(&worker.worker_id));
    field("type", worker.worker_type.as_str());
    field("state", &terminal.paint(paint, &text));
    if let Some(reason) = &worker.dead_reason {
        field("because", &neutralise(reason));
    }
    let namespace = worker.namespace.as_deref().unwrap_or("all");
    field("namespace", &neutralise(namespace));
    field("kinds", &listed(&worker.kinds, "none"));
    field("lanes", &listed(&worker.lanes, "all"));
    field("capabilities", &listed(&worker.capabilities, "none"));
    field("leases", &worker.leases.to_string());
    for (name, value) in [("host", &worker.host), ("version", &worker.version)] {
        if let Some(value) = value {
            field(name, &neutralise(value));
        }
    }
    field("registered", &when(worker.registered_at));
    field("heard", &when(worker.heartbeat_at));
    if worker.live {
        field("believed", &format!("until {}", when(worker.expires_at)));
    }
    Ok(Exit::Ok)
}

async fn dead(context: &Context, client: &Client, args: DeadArgs) -> Result<Exit, Failure> {
    let body = MarkWorkerDead {
        reason: args.reason,
        revoke_leases: args.revoke_leases,
    };
    let path = format!("{}/dead", path(&args.instance));
    let answer = client.send_json(Method::POST, &path, &body).await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let dead: DeadWorker = answer.read()?;
    let marked = if dead.already {
        "was dead before"
    } else {
        "marked dead"
    };
    let leases = match dead.revoked {
        0 if body.revoke_leases => "; it held no leases".to_owned(),
        0 => "; its leases lapse by themselves".to_owned(),
        1 => "; one lease revoked".to_owned(),
        count => format!("; {count} leases revoked"),
    };
    context.terminal.line(&format!("{marked}{leases}"));
    Ok(Exit::Ok)
}

/// Returns the path of a worker; names may hold what a path may not.
fn path(instance: &str) -> String {
    use std::fmt::Write as _;
    let mut path = "/v1/workers/".to_owned();
    for byte in instance.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

fn state(worker: &Worker) -> (Paint, String) {
    if worker.live {
        (Paint::Green, "live".to_owned())
    } else if worker.dead_at.is_some() {
        (Paint::Red, "dead".to_owned())
    } else {
        (Paint::Yellow, "silent".to_owned())
    }
}

fn listed(names: &[String], none: &str) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    neutralise(&names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(path("host-1.a"), "/v1/workers/host-1%2Ea");
        assert_eq!(path("../x y"), "/v1/workers/%2E%2E%2Fx%20y");
    }
}
