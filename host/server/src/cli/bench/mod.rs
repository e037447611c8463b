//! `flowhost bench`: measures this build on this machine, in one run and on one
//! durable cluster.
//!
//! Lifecycles (create → claim → fresh sandbox → complete, with events) and the
//! baseline (single-row inserts at 16 connections) take turns, so that a machine
//! that changes its pace changes both; a ratio compares a lifecycle run with the
//! baselines just before and after it.

mod lifecycles;
mod measure;
mod report;
mod start;
mod waiting;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use engine::bench::{self, Baseline};
use model::PublicState;

use super::exit::{Exit, Failure};
use super::host_args::ConfigArgs;
use super::terminal::complain;
use super::{Context, load, this_binary};
use crate::config::Config;
use crate::{Host, duration, telemetry};
use measure::{median, percentile, rss_bytes};
use report::{Backlog, Delays, Idle, Leases, Lifecycles, Memory, Report};

/// Kind of the executions that are measured.
const KIND: &str = "bench-echo";
/// Lane of the backlog, which the worker does not serve.
const BACKLOG_LANE: &str = "bench-backlog";
/// Lane of the delays and leases that are many, which it does not serve either.
const HERD_LANE: &str = "bench-herd";
/// Delays that are due at once, and how many wait in the lane that is claimed
/// from meanwhile.
const HERD: u64 = 10_000;
const HERD_BACKLOG: u64 = 1_000;
/// Leases that are renewed together, and how often.
const LEASES: u64 = 10_000;
const RENEWALS: u32 = 10;
/// Connections of the baseline.
const BASELINE_CONNECTIONS: u32 = 16;
/// Executions of the idle measurement, and the pause before each.
const IDLE_RUNS: usize = 100;
const IDLE_PAUSE: Duration = Duration::from_millis(20);
/// Calls of the sandbox measurement.
const SANDBOX_CALLS: u32 = 2000;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The component that is run: one that returns its input
    #[arg(
        long,
        value_name = "FILE",
        default_value = "guest-examples/out/echo.wasm"
    )]
    component: PathBuf,
    /// The component that is suspended: one that waits for two approvals
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
    /// Suspended executions that time limits are looked for among
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    suspended: u64,
    /// Attempts that run at once
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    slots: u32,
    /// One short round and small backlogs
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: BenchArgs) -> Result<Exit, Failure> {
    let mut args = args;
    if args.quick {
        args.rounds = 1;
        args.span = args.span.min(Duration::from_secs(2));
        args.backlog = vec![1_000, 20_000];
        args.suspended = 20_000;
    }
    let mut loaded = args.config.clone().load()?;
    if !loaded.origins.contains_key("telemetry.log") {
        loaded.config.telemetry.log = "warn,sqlx=error".to_owned();
    }
    let mut config = loaded.config;
    telemetry::install(&config.telemetry);
    config.http.listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    config.worker.lanes = vec![model::LANE_DEFAULT.to_owned()];
    config.worker.slots = args.slots;
    // Removed when this function ends, after the host has stopped.
    let scratch = scratch(&mut config)?;
    let host = Host::start(&config, this_binary()?).await?;
    // In a task, as requests are served: who is none waits for a thread to be woken with
    // each answer.
    let talking = context.clone();
    let measuring = tokio::spawn(async move {
        let measured = measure(&talking, &args, &config, &host).await;
        host.stop(Duration::from_secs(5), None).await;
        measured
    });
    let measured = measuring.await;
    let measured = measured.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    drop(scratch);
    let report = measured?;
    if context.json {
        let text = serde_json::to_string_pretty(&report);
        context
            .terminal
            .json(&text.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?);
    } else {
        report.show(context.terminal);
    }
    Ok(Exit::Ok)
}

/// Without a database named, makes a directory for a cluster of its own. The
/// usual place for temporary files may be memory, where a sync costs nothing.
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

async fn measure(
    context: &Context,
    args: &BenchArgs,
    config: &Config,
    host: &Host,
) -> Result<Report, Failure> {
    let engine = host.engine();
    let idle_rss = rss_bytes();
    load::one(context, host, KIND, &args.component).await?;
    load::one(context, host, waiting::KIND_WAITING, &args.waiting).await?;
    complain("warming up");
    lifecycles::run(host, 16, Duration::from_millis(500)).await?;
    ends_well(host).await?;
    let baseline = Baseline::prepare(engine).await?;
    complain("idle latency");
    let idle = idle(host, &baseline).await?;
    complain("signals");
    let waiting = waiting::resumed(host, &baseline).await?;
    let mut baselines = Vec::new();
    let mut runs: Vec<Vec<Lifecycles>> = vec![Vec::new(); args.in_flight.len()];
    for round in 1..=args.rounds {
        let mut before = inserts(args, host, &baseline).await?;
        baselines.push(before);
        for (at, &in_flight) in args.in_flight.iter().enumerate() {
            complain(&format!(
                "round {round} of {}: {in_flight} in flight",
                args.rounds
            ));
            let mut run = lifecycles::run(host, in_flight, args.span).await?;
            let after = inserts(args, host, &baseline).await?;
            run.ratio = run.per_second / f64::midpoint(before, after);
            runs[at].push(run);
            baselines.push(after);
            before = after;
        }
    }
    complain("starts");
    let start = start::measure(host, config).await?;
    complain("sandboxes");
    let component = std::fs::read(&args.component)
        .map_err(|error| Failure::file("read", &args.component, &error))?;
    let sandbox = runtime::sandbox_cost(&component, &lifecycles::input(), SANDBOX_CALLS)
        .await?
        .map_err(|refusal| Failure::usage(refusal.to_string()))?;
    let busy_rss = rss_bytes();
    let (backlog, backlog_rss) = backlogs(args, host).await?;
    let delays = delays(args, host).await?;
    let leases = leases(engine).await?;
    let suspended = waiting::many(host, args.suspended).await?;
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        optimised: !cfg!(debug_assertions),
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        slots: config.worker.slots,
        postgres: host
            .database()
            .embedded()
            .map(|(version, _)| version.to_owned()),
        inserts_per_second: median(&mut baselines),
        lifecycles: runs.iter().map(|runs| Lifecycles::median(runs)).collect(),
        idle,
        waiting,
        start_us: start.as_micros() as f64,
        sandbox,
        memory: Memory {
            idle_rss_bytes: idle_rss,
            busy_rss_bytes: busy_rss,
            backlog_rss_bytes: backlog_rss,
        },
        backlog,
        delays,
        leases,
        suspended,
    })
}

async fn inserts(args: &BenchArgs, host: &Host, baseline: &Baseline) -> Result<f64, Failure> {
    let rate = baseline
        .single_row_inserts(host.engine(), BASELINE_CONNECTIONS, args.span)
        .await?;
    Ok(rate.per_second)
}

/// A benchmark of failures would be a fast one.
async fn ends_well(host: &Host) -> Result<(), Failure> {
    let id = lifecycles::one(host.engine()).await?;
    let info = host.engine().get(id, None).await?;
    match info {
        Some(info) if info.public_state == PublicState::Completed => Ok(()),
        Some(info) => {
            let info = info.into();
            let why = super::watch::why(&info);
            let message = format!(
                "the component does not return its input: {}{why}",
                info.public_state
            );
            Err(Failure::new(Exit::Failed, message))
        }
        None => Err(Failure::new(Exit::Failed, "the execution is gone")),
    }
}

/// One execution at a time, and one commit at a time under the same
/// conditions: a machine that has nothing else to do takes longer for both than
/// one that is busy.
async fn idle(host: &Host, baseline: &Baseline) -> Result<Idle, Failure> {
    let mut single = baseline.single(host.engine()).await?;
    let mut times = Vec::with_capacity(IDLE_RUNS);
    let mut commits = Vec::with_capacity(IDLE_RUNS);
    for _ in 0..IDLE_RUNS {
        tokio::time::sleep(IDLE_PAUSE).await;
        let watch = crate::stopwatch::Stopwatch::start();
        single.insert().await?;
        commits.push(watch.elapsed());
        tokio::time::sleep(IDLE_PAUSE).await;
        let watch = crate::stopwatch::Stopwatch::start();
        lifecycles::one(host.engine()).await?;
        times.push(watch.elapsed());
    }
    let commit_us = percentile(&mut commits, 0.5).as_micros() as f64;
    let p50_us = percentile(&mut times, 0.5).as_micros() as f64;
    Ok(Idle {
        p50_us,
        p99_us: percentile(&mut times, 0.99).as_micros() as f64,
        commit_us,
        p50_in_commits: p50_us / commit_us,
    })
}

/// Claims against a queue that grows from one size to the next; also returns the
/// memory held while it was longest.
async fn backlogs(args: &BenchArgs, host: &Host) -> Result<(Vec<Backlog>, u64), Failure> {
    let engine = host.engine();
    let mut sizes = args.backlog.clone();
    sizes.sort_unstable();
    let mut ready = 0;
    let mut measured: Vec<Backlog> = Vec::new();
    for size in sizes {
        complain(&format!("claims with {size} ready"));
        bench::backlog(engine, BACKLOG_LANE, KIND, size.saturating_sub(ready)).await?;
        ready = size;
        let mut times = bench::claims(engine, BACKLOG_LANE, args.span).await?;
        let p50_us = percentile(&mut times, 0.5).as_micros() as f64;
        let first = measured.first().map_or(p50_us, |first| first.claim_p50_us);
        measured.push(Backlog {
            ready,
            claim_p50_us: p50_us,
            claim_p99_us: percentile(&mut times, 0.99).as_micros() as f64,
            ratio: p50_us / first,
        });
    }
    let rss = rss_bytes();
    bench::clear(engine, BACKLOG_LANE).await?;
    Ok((measured, rss))
}

/// Many delays due in one moment, and what claims of another lane take meanwhile.
async fn delays(args: &BenchArgs, host: &Host) -> Result<Delays, Failure> {
    let engine = host.engine();
    complain(&format!("{HERD} delays due at once"));
    bench::backlog(engine, BACKLOG_LANE, KIND, HERD_BACKLOG).await?;
    let mut alone = bench::claims(engine, BACKLOG_LANE, args.span).await?;
    let alone_p99_us = percentile(&mut alone, 0.99).as_micros() as f64;
    let mut promoted = Vec::new();
    let mut meanwhile = Vec::new();
    for _ in 0..args.rounds {
        let herd = bench::herd(engine, HERD_LANE, BACKLOG_LANE, KIND, HERD).await?;
        promoted.push(herd.promoted.as_secs_f64() * 1e3);
        meanwhile.extend(herd.claims);
        bench::clear(engine, HERD_LANE).await?;
    }
    bench::clear(engine, BACKLOG_LANE).await?;
    let claim_p99_us = percentile(&mut meanwhile, 0.99).as_micros() as f64;
    Ok(Delays {
        due: HERD,
        promoted_ms: median(&mut promoted),
        claim_p99_us,
        ratio: claim_p99_us / alone_p99_us,
    })
}

/// The leases of many long attempts, renewed as their keeper does it.
async fn leases(engine: &engine::Engine) -> Result<Leases, Failure> {
    complain(&format!("renewing {LEASES} leases"));
    let mut renewals = bench::renewals(engine, HERD_LANE, KIND, LEASES, RENEWALS).await?;
    bench::clear(engine, HERD_LANE).await?;
    Ok(Leases {
        leases: renewals.leases,
        statements: renewals.statements,
        p50_ms: percentile(&mut renewals.times, 0.5).as_secs_f64() * 1e3,
        max_ms: percentile(&mut renewals.times, 1.0).as_secs_f64() * 1e3,
    })
}
