//! Whole lifecycles of executions: create → claim → fresh sandbox → complete.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use engine::bench::{self, Baseline, server_stats};
use engine::{Create, Engine, Payload};
use model::ExecutionId;

use super::measure::{cpu_us, cpu_us_of_server};
use super::report::Lifecycles;
use crate::Host;
use crate::cli::io::{Exit, Failure};
use crate::stopwatch::Stopwatch;

/// Kind of the executions that are measured.
pub const KIND: &str = "bench-echo";
/// Connections of the baseline.
const BASELINE_CONNECTIONS: u32 = 16;
/// Longest one execution may take.
pub const EXECUTION_MAX: Duration = Duration::from_secs(60);
/// How far the server's counters of its log lag behind.
const STATS_LAG: Duration = Duration::from_millis(1100);

/// Returns the input of each execution.
pub fn input() -> Payload {
    Payload {
        content_type: "text/plain".to_owned(),
        data: b"0123456789abcdef0123456789abcdef".to_vec(),
    }
}

/// Runs one execution of a kind to its end.
pub async fn one(engine: &Engine, kind: &str) -> Result<ExecutionId, Failure> {
    let create = Create {
        namespace: bench::NAMESPACE.to_owned(),
        ..Create::new(kind, input())
    };
    let (created, outcome) = engine
        .create_and_wait(create, EXECUTION_MAX, std::future::pending())
        .await?;
    let id = created.id();
    if outcome.is_some() {
        Ok(id)
    } else {
        let message = format!(
            "execution {id} did not end within {} s",
            EXECUTION_MAX.as_secs()
        );
        Err(Failure::new(Exit::Fault, message))
    }
}

/// Returns the rate of the baseline: single-row inserts per second at 16 connections.
pub async fn inserts(host: &Host, baseline: &Baseline, span: Duration) -> Result<f64, Failure> {
    let rate = baseline.single_row_inserts(host.engine(), BASELINE_CONNECTIONS, span);
    Ok(rate.await?)
}

/// Runs executions for `span`, `in_flight` of them at any time; counts those that end
/// within it.
pub async fn run(host: &Host, in_flight: usize, span: Duration) -> Result<Lifecycles, Failure> {
    run_kinds(host, &[KIND.to_owned()], in_flight, span).await
}

/// As [`run`], of these kinds in turn.
pub async fn run_kinds(
    host: &Host,
    kinds: &[String],
    in_flight: usize,
    span: Duration,
) -> Result<Lifecycles, Failure> {
    let engine = host.engine();
    let data_dir = host.database().embedded().map(|(_, dir)| dir.to_owned());
    let server_cpu =
        |dir: &Option<std::path::PathBuf>| dir.as_deref().map(|dir: &Path| cpu_us_of_server(dir));
    tokio::time::sleep(STATS_LAG).await;
    let stats = server_stats(engine).await?;
    let (cpu, cpu_server) = (cpu_us(), server_cpu(&data_dir));

    let done = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let tasks: Vec<_> = (0..in_flight)
        .map(|first| {
            let (engine, done) = (engine.clone(), Arc::clone(&done));
            let kinds = kinds.to_vec();
            tokio::spawn(async move {
                for kind in kinds.iter().cycle().skip(first % kinds.len().max(1)) {
                    if watch.elapsed() >= span {
                        break;
                    }
                    one(&engine, kind).await?;
                    done.fetch_add(1, Relaxed);
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    tokio::time::sleep(span).await;
    let in_span = done.load(Relaxed);
    let seconds = watch.elapsed().as_secs_f64();
    for task in tasks {
        task.await
            .map_err(|error| Failure::new(Exit::Fault, error.to_string()))??;
    }

    // Costs are those of every execution, also of the last ones, which ended
    // after the span.
    let all = done.load(Relaxed).max(1) as f64;
    let cpu_host_us = (cpu_us() - cpu) as f64 / all;
    let cpu_server_us = match (cpu_server, server_cpu(&data_dir)) {
        (Some(before), Some(after)) => Some(after.saturating_sub(before) as f64 / all),
        _ => None,
    };
    tokio::time::sleep(STATS_LAG).await;
    let after = server_stats(engine).await?;
    Ok(Lifecycles {
        in_flight,
        ended: done.load(Relaxed),
        per_second: in_span as f64 / seconds,
        ratio: 0.0,
        cpu_host_us,
        cpu_server_us,
        wal_bytes: after.wal_bytes.saturating_sub(stats.wal_bytes) as f64 / all,
        fsyncs: after.fsyncs.saturating_sub(stats.fsyncs) as f64 / all,
    })
}
