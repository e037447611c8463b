//! `flowhost worker`: lists and shows workers, retires them, and marks them dead.

use clap::{Args, Subcommand};
use reqwest::Method;

use crate::api::{DeadWorker, MarkWorkerDead, Worker, WorkerPage};
use crate::cli::io::{
    Client, Context, DryRun, Exit, Failure, PageArgs, Paint, Request, escape, format_count,
    format_time, path_of,
};

/// What is done to workers.
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// List workers by the names of their instances
    List(ListArgs),
    /// Show a worker
    Show(ShowArgs),
    /// Mark a worker dead
    Dead(DeadArgs),
    /// Remove a worker that has ended in good order; leases it holds are not touched
    Retire(RetireArgs),
}

/// Arguments of `worker list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those that work for this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only those that serve this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Also those that are dead
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// Arguments of `worker show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Name of the worker instance
    instance: String,
}

/// Arguments of `worker dead`.
#[derive(Debug, Args)]
pub struct DeadArgs {
    /// Name of the worker instance
    instance: String,
    /// Why, in words for people
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// End its leases now, so that others take over at once
    #[arg(long)]
    revoke_leases: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Arguments of `worker retire`.
#[derive(Debug, Args)]
pub struct RetireArgs {
    /// Name of the worker instance
    instance: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: WorkerCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        WorkerCommand::List(args) => list(context, args).await,
        WorkerCommand::Show(args) => show(context, &client, &args.instance).await,
        WorkerCommand::Dead(args) => dead(context, args).await,
        WorkerCommand::Retire(args) => retire(context, &client, args).await,
    }
}

async fn list(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(
        context
            .namespace(args.namespace)
            .map(|it| ("namespace", it)),
    );
    query.extend(args.lane.map(|it| ("lane", it)));
    if !args.all {
        query.push(("live", "true".to_owned()));
    }
    let none = "no workers";
    let header = [
        "INSTANCE",
        "WORKER",
        "TYPE",
        "STATE",
        "KINDS",
        "LANES",
        "LEASES",
        "HEARTBEAT",
    ];
    let show = |page: &WorkerPage| context.rows(&page.workers, none, &header, row);
    args.page
        .show(context, "/v1/workers", query, "", show)
        .await
}

fn row(worker: &Worker) -> Vec<(Paint, String)> {
    let leases = format_count(worker.leases, worker.leases_exact);
    vec![
        (Paint::Plain, escape(&worker.worker_instance_id)),
        (Paint::Plain, escape(&worker.worker_id)),
        (Paint::Plain, worker.worker_type.to_string()),
        state(worker),
        (Paint::Bold, listed(&worker.kinds, "none")),
        (Paint::Plain, listed(&worker.lanes, "all")),
        (Paint::Plain, leases),
        (Paint::Dim, format_time(worker.heartbeat_at)),
    ]
}

async fn show(context: &Context, client: &Client, instance: &str) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let answer = client.get(&path(instance), Vec::new()).await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let worker: Worker = answer.read()?;
    let field = |name: &str, value: &str| {
        let name = terminal.paint(Paint::Dim, &format!("{name:<12}"));
        terminal.line(&format!("{name} {value}"));
    };
    let (paint, text) = state(&worker);
    field("instance", &escape(&worker.worker_instance_id));
    field("worker", &escape(&worker.worker_id));
    field("type", worker.worker_type.as_str());
    field("state", &terminal.paint(paint, &text));
    if let Some(reason) = &worker.dead_reason {
        field("because", &escape(reason));
    }
    let namespace = worker.namespace.as_deref().unwrap_or("all");
    field("namespace", &escape(namespace));
    field("kinds", &listed(&worker.kinds, "none"));
    field("lanes", &listed(&worker.lanes, "all"));
    field("capabilities", &listed(&worker.capabilities, "none"));
    field("leases", &format_count(worker.leases, worker.leases_exact));
    for (name, value) in [("host", &worker.host), ("version", &worker.version)] {
        if let Some(value) = value {
            field(name, &escape(value));
        }
    }
    field("registered", &format_time(worker.registered_at));
    field("heartbeat", &format_time(worker.heartbeat_at));
    if worker.live {
        field("live until", &format_time(worker.expires_at));
    }
    Ok(Exit::Ok)
}

async fn retire(context: &Context, client: &Client, args: RetireArgs) -> Result<Exit, Failure> {
    let request = Request {
        query: args.dry_run.query(),
        ..Request::default()
    };
    let path = path(&args.instance);
    client.send(Method::DELETE, &path, request).await?;
    if context.json {
        context.terminal.json("{}");
    } else {
        args.dry_run.line(context, "retired");
    }
    Ok(Exit::Ok)
}

async fn dead(context: &Context, args: DeadArgs) -> Result<Exit, Failure> {
    let body = MarkWorkerDead {
        reason: args.reason,
        revoke_leases: args.revoke_leases,
    };
    let path = format!("{}/dead", path(&args.instance));
    let say = |dead: DeadWorker| {
        let marked = if dead.already {
            "was dead before"
        } else {
            "marked dead"
        };
        let leases = match dead.revoked {
            0 if body.revoke_leases => "; it held no leases".to_owned(),
            0 => "; its leases expire by themselves".to_owned(),
            1 => "; one lease revoked".to_owned(),
            count => format!("; {count} leases revoked"),
        };
        format!("{marked}{leases}")
    };
    args.dry_run
        .ask(context, Method::POST, &path, &body, say)
        .await
}

/// Returns the path of a worker. Dots are escaped too, since `..` leads up in a path.
pub(super) fn path(instance: &str) -> String {
    path_of("/v1/workers", instance).replace('.', "%2E")
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
    escape(&names.join(", "))
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
