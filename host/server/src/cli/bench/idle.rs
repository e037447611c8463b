//! One execution at a time, on a host with nothing else to do.

use std::time::Duration;

use engine::bench::Baseline;

use super::lifecycles;
use super::measure::percentile;
use super::report::Idle;
use crate::Host;
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Number of executions that are measured.
const RUNS: usize = 100;
/// Pause before each, in which the host falls idle.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Measures one execution at a time, and one commit at a time under the same conditions:
/// an idle machine takes longer for both than a busy one.
pub async fn measure(host: &Host, baseline: &Baseline) -> Result<Idle, Failure> {
    let mut single = baseline.single(host.engine()).await?;
    let mut times = Vec::with_capacity(RUNS);
    let mut commits = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        tokio::time::sleep(PAUSE).await;
        let watch = Stopwatch::start();
        single.insert().await?;
        commits.push(watch.elapsed());
        tokio::time::sleep(PAUSE).await;
        let watch = Stopwatch::start();
        lifecycles::one(host.engine(), lifecycles::KIND).await?;
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
