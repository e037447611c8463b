//! The order of the measurements, and their arguments.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use engine::bench::Baseline;
use model::PublicState;
use serde::Serialize;

use super::authentication::{self, Authentication};
use super::events::{self, EventLog};
use super::flows::{self, Flows};
use super::lifecycles::{self, KIND};
use super::measure::{median, rss_bytes};
use super::report::{Lifecycles, Memory, Report};
use super::streams::{self, Streams};
use super::{idle, kinds, queues, reads, start, waiting, waits};
use crate::cli::execution::watch::failure_text;
use crate::cli::host::{ConfigArgs, publish_file};
use crate::cli::io::{Context, Exit, Failure, this_binary, to_stderr};
use crate::config::Config;
use crate::{Host, duration, telemetry};

/// Calls of the sandbox measurement.
const SANDBOX_CALLS: u32 = 2000;

/// Events, frames and flows that are waited for one by one, and those of a short run.
const SEEN: u32 = 200;
const SEEN_QUICK: u32 = 40;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The component to run: one that returns its input
    #[arg(
        long,
        value_name = "FILE",
        default_value = "guest-examples/out/echo.wasm"
    )]
    component: PathBuf,
    /// The component to suspend: one that waits for two approvals
    #[arg(
        long,
        value_name = "FILE",
        default_value = "guest-examples/out/approval.wasm"
    )]
    waiting: PathBuf,
    /// How long each measurement lasts
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "5s")]
    span: Duration,
    /// How often the measurements are repeated; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Executions in flight, one measurement each; separated by spaces or commas
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',', default_values_t = [1, 64, 512, 2048])]
    in_flight: Vec<usize>,
    /// Ready executions that claims are measured against; separated by spaces or commas
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    backlog: Vec<u64>,
    /// Suspended executions among which expired ones are searched
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    suspended: u64,
    /// Finished executions beside which reads are measured; 0 leaves these out
    #[arg(long, value_name = "N", default_value_t = 3_000_000)]
    history: u64,
    /// Attempts that run at once
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    slots: u32,
    /// One short round and small backlogs
    #[arg(long)]
    quick: bool,
    /// Events that a reader's filter drops while it catches up; 0 leaves this out
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    dropped: u64,
    /// Only what authentication costs
    #[arg(long, group = "only")]
    authentication: bool,
    /// Only the event log: its readers, and what it costs a lifecycle
    #[arg(long, group = "only")]
    events: bool,
    /// Only attempt streams: appends and tails
    #[arg(long, group = "only")]
    streams: bool,
    /// Only flows, beside lifecycles of executions outside flows
    #[arg(long, group = "only")]
    flows: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl BenchArgs {
    fn event_plan(&self) -> events::Plan<'_> {
        events::Plan {
            component: &self.component,
            rounds: self.rounds,
            span: self.span,
            seen: if self.quick { SEEN_QUICK } else { SEEN },
            dropped: self.dropped,
        }
    }

    fn flow_plan(&self) -> flows::Plan {
        flows::Plan {
            rounds: self.rounds,
            span: self.span,
            seen: if self.quick { SEEN_QUICK } else { SEEN },
        }
    }

    fn stream_plan(&self) -> streams::Plan {
        streams::Plan {
            rounds: self.rounds,
            span: self.span,
            seen: if self.quick { SEEN_QUICK } else { SEEN },
        }
    }
}

/// What was measured.
#[derive(Serialize)]
#[serde(untagged)]
enum Measured {
    Everything(Box<Report>),
    Authentication(Authentication),
    Events(EventLog),
    Streams(Streams),
    Flows(Flows),
}

/// Runs the command.
pub async fn run(context: &Context, args: BenchArgs) -> Result<Exit, Failure> {
    let mut args = args;
    if args.quick {
        args.rounds = 1;
        args.span = args.span.min(Duration::from_secs(2));
        args.backlog = vec![1_000, 20_000];
        args.suspended = 20_000;
        args.history = 20_000;
        args.dropped = 20_000;
    }
    let mut loaded = args.config.clone().load()?;
    if !loaded.origins.contains_key("telemetry.log") {
        loaded.config.telemetry.log = "warn,sqlx=error".to_owned();
    }
    let mut config = loaded.config;
    telemetry::install(&config.telemetry);
    config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.worker.lanes = vec![model::LANE_DEFAULT.to_owned()];
    config.worker.slots = args.slots;
    // Removed when this function ends, after the host has stopped.
    let scratch = scratch(&mut config)?;
    let host = Host::start(&config, this_binary()?).await?;
    // Spawned, because a future polled by `block_on` outside the pool pays for a thread
    // that wakes up with each answer. Requests are served in tasks too.
    let its_context = context.clone();
    let measuring = tokio::spawn(async move {
        let measured = if args.authentication {
            authentication(&its_context, &args, &config, &host).await
        } else if args.events {
            events(&its_context, &args, &config, &host).await
        } else if args.streams {
            only_streams(&args, &config, &host).await
        } else if args.flows {
            only_flows(&its_context, &args, &host).await
        } else {
            measure(&its_context, &args, &config, &host).await
        };
        host.stop(Duration::from_secs(5), None).await;
        measured
    });
    let measured = measuring.await;
    let measured = measured.map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
    drop(scratch);
    let report = measured?;
    if context.json {
        let text = serde_json::to_string_pretty(&report);
        context
            .terminal
            .json(&text.map_err(|error| Failure::new(Exit::Fault, error.to_string()))?);
        return Ok(Exit::Ok);
    }
    let lines = match report {
        Measured::Everything(report) => {
            report.show(context.terminal);
            return Ok(Exit::Ok);
        }
        Measured::Authentication(found) => found.lines(),
        Measured::Events(found) => found.lines(),
        Measured::Streams(found) => found.lines(),
        Measured::Flows(found) => found.lines(),
    };
    for line in lines {
        context.terminal.line(&line);
    }
    Ok(Exit::Ok)
}

/// Makes a directory for a cluster of its own, unless a database is named. The usual
/// place for temporary files may be memory, where a sync costs nothing.
fn scratch(config: &mut Config) -> Result<Option<tempfile::TempDir>, Failure> {
    if config.database.url.is_some() || config.database.data_dir.is_some() {
        return Ok(None);
    }
    let base = Some(Path::new("/var/tmp")).filter(|dir| dir.is_dir());
    let base = base.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let dir = tempfile::Builder::new()
        .prefix("flowhost-bench-")
        .tempdir_in(&base);
    let dir = dir.map_err(|error| Failure::file("make a directory in", &base, &error))?;
    config.database.data_dir = Some(dir.path().to_owned());
    // What was compiled before need not be compiled again.
    let usual = Config {
        database: crate::config::Database::default(),
        ..config.clone()
    };
    config.runtime.cache_dir = Some(usual.code_dir());
    Ok(Some(dir))
}

/// Measures only what authentication costs.
async fn authentication(
    context: &Context,
    args: &BenchArgs,
    config: &Config,
    host: &Host,
) -> Result<Measured, Failure> {
    publish_file(context, host, KIND, &args.component).await?;
    completes(host).await?;
    let found = authentication::measure(host, config, args.rounds, args.span).await?;
    Ok(Measured::Authentication(found))
}

/// Measures only the event log.
async fn events(
    context: &Context,
    args: &BenchArgs,
    config: &Config,
    host: &Host,
) -> Result<Measured, Failure> {
    let baseline = warmed_up(context, args, host).await?;
    let found = events::measure(context, host, config, &baseline, &args.event_plan()).await?;
    Ok(Measured::Events(found))
}

/// Measures only attempt streams, which no component runs for.
async fn only_streams(args: &BenchArgs, config: &Config, host: &Host) -> Result<Measured, Failure> {
    let baseline = Baseline::prepare(host.engine()).await?;
    let found = streams::measure(host, config, &baseline, args.stream_plan()).await?;
    Ok(Measured::Streams(found))
}

/// Measures only flows, and lifecycles outside flows.
async fn only_flows(context: &Context, args: &BenchArgs, host: &Host) -> Result<Measured, Failure> {
    let baseline = warmed_up(context, args, host).await?;
    let found = flows::measure(host, &baseline, args.flow_plan()).await?;
    Ok(Measured::Flows(found))
}

/// Publishes the component, runs it for a moment, and prepares the baseline.
async fn warmed_up(context: &Context, args: &BenchArgs, host: &Host) -> Result<Baseline, Failure> {
    publish_file(context, host, KIND, &args.component).await?;
    to_stderr("warming up");
    lifecycles::run(host, 16, Duration::from_millis(500)).await?;
    completes(host).await?;
    Ok(Baseline::prepare(host.engine()).await?)
}

async fn measure(
    context: &Context,
    args: &BenchArgs,
    config: &Config,
    host: &Host,
) -> Result<Measured, Failure> {
    let idle_rss = rss_bytes();
    publish_file(context, host, waiting::KIND_WAITING, &args.waiting).await?;
    let baseline = warmed_up(context, args, host).await?;
    to_stderr("idle latency");
    let idle = idle::measure(host, &baseline).await?;
    to_stderr("signals");
    let waiting = waiting::resumed(host, &baseline).await?;
    let mut baselines = Vec::new();
    let mut runs: Vec<Vec<Lifecycles>> = vec![Vec::new(); args.in_flight.len()];
    for round in 1..=args.rounds {
        let mut before = lifecycles::inserts(host, &baseline, args.span).await?;
        baselines.push(before);
        for (at, &in_flight) in args.in_flight.iter().enumerate() {
            to_stderr(&format!(
                "round {round} of {}: {in_flight} in flight",
                args.rounds
            ));
            let mut run = lifecycles::run(host, in_flight, args.span).await?;
            let after = lifecycles::inserts(host, &baseline, args.span).await?;
            run.ratio = run.per_second / f64::midpoint(before, after);
            runs[at].push(run);
            baselines.push(after);
            before = after;
        }
    }
    let create_and_wait = waits::measure(host, idle.commit_us, args.span).await?;
    let authentication = authentication::measure(host, config, args.rounds, args.span).await?;
    to_stderr("starts");
    let start = start::measure(host, config).await?;
    to_stderr("sandboxes");
    let component = std::fs::read(&args.component)
        .map_err(|error| Failure::file("read", &args.component, &error))?;
    let sandbox = runtime::sandbox_cost(&component, &lifecycles::input(), SANDBOX_CALLS)
        .await?
        .map_err(|refusal| Failure::usage(refusal.to_string()))?;
    let busy_rss = rss_bytes();
    let (backlog, backlog_rss) = queues::backlogs(host, &args.backlog, args.span).await?;
    let others = args.backlog.iter().copied().max().unwrap_or_default();
    let kinds = kinds::measure(context, host, &args.component, others, args.span).await?;
    let delays = queues::delays(host, args.rounds, args.span).await?;
    let leases = queues::leases(host).await?;
    let suspended = waiting::many(host, args.suspended).await?;
    let reads = match args.history {
        0 => None,
        finished => {
            Some(reads::measure(host, finished, args.span, idle.commit_us, &baseline).await?)
        }
    };
    let events = events::measure(context, host, config, &baseline, &args.event_plan()).await?;
    let streams = streams::measure(host, config, &baseline, args.stream_plan()).await?;
    let flows = flows::measure(host, &baseline, args.flow_plan()).await?;
    Ok(Measured::Everything(Box::new(Report {
        version: env!("CARGO_PKG_VERSION"),
        optimized: !cfg!(debug_assertions),
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        slots: config.worker.slots,
        postgres: host
            .database()
            .embedded()
            .map(|(version, _)| version.to_owned()),
        inserts_per_second: median(&mut baselines),
        lifecycles: runs.iter().map(|runs| Lifecycles::median(runs)).collect(),
        idle,
        create_and_wait,
        authentication,
        waiting,
        start_us: start.as_micros() as f64,
        sandbox,
        memory: Memory {
            idle_rss_bytes: idle_rss,
            busy_rss_bytes: busy_rss,
            backlog_rss_bytes: backlog_rss,
        },
        backlog,
        kinds,
        delays,
        leases,
        suspended,
        reads,
        events,
        streams,
        flows,
    })))
}

/// Fails unless an execution completes: a benchmark of failures would be a fast one.
async fn completes(host: &Host) -> Result<(), Failure> {
    let id = lifecycles::one(host.engine(), KIND).await?;
    let info = host.engine().get(id, None).await?;
    match info {
        Some(info) if info.public_state == PublicState::Completed => Ok(()),
        Some(info) => {
            let info = info.into();
            let why = failure_text(&info);
            let message = format!(
                "the component does not return its input: {}{why}",
                info.public_state
            );
            Err(Failure::new(Exit::Fault, message))
        }
        None => Err(Failure::new(Exit::Fault, "the execution is gone")),
    }
}
