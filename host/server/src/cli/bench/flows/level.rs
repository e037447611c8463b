//! How long a level of a chain takes, while hosts have nothing else to do.

use std::time::Duration;

use engine::bench::Baseline;
use serde::Serialize;

use super::chain::MEMBERS;
use super::graph::{chain, last_ends, request, succeeded};
use crate::Host;
use crate::cli::bench::idle::PAUSE;
use crate::cli::bench::measure::{failed, percentile};
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// From the end of a member until the one that waits for it has ended, by the database's
/// clock: its flow takes note of the end, and the next is leased, runs and completes.
#[derive(Debug, Serialize)]
pub struct Level {
    /// Number of members of each flow.
    pub members: usize,
    /// Median time, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Median time of one durable commit of one row, in microseconds.
    pub commit_us: f64,
    /// `p50_us` as a multiple of a commit.
    pub p50_in_commits: f64,
}

/// Runs so many flows one after the other, alternating with single commits.
pub async fn measure(host: &Host, baseline: &Baseline, count: u32) -> Result<Level, Failure> {
    let engine = host.engine();
    let mut single = baseline.single(engine).await?;
    let (mut times, mut commits) = (Vec::new(), Vec::new());
    for run in 0..count {
        // Of different lengths, so that no period of a host is met again and again.
        let pause = PAUSE + Duration::from_micros(u64::from(run) * 7919 % 20_000);
        tokio::time::sleep(pause).await;
        let commit = Stopwatch::start();
        single.insert().await?;
        commits.push(commit.elapsed());
        tokio::time::sleep(pause).await;
        let made = engine.create_flow(request(chain(MEMBERS))).await?;
        last_ends(engine, &made).await?;
        succeeded(engine, made.id).await?;
        let mut ends = Vec::with_capacity(MEMBERS);
        for member in &made.members {
            let info = engine.get(member.id, None).await?;
            let end = info.and_then(|info| info.finished_at);
            ends.push(end.ok_or_else(|| failed(format!("member {} has no end", member.id)))?);
        }
        let levels = ends.windows(2).map(|ends| ends[1] - ends[0]);
        times.extend(levels.map(|level| Duration::try_from(level).unwrap_or_default()));
    }
    let us = |times: &mut [Duration], share| percentile(times, share).as_micros() as f64;
    let (p50_us, commit_us) = (us(&mut times, 0.5), us(&mut commits, 0.5));
    Ok(Level {
        members: MEMBERS,
        p50_us,
        p99_us: us(&mut times, 0.99),
        commit_us,
        p50_in_commits: p50_us / commit_us,
    })
}

impl Level {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "a level of an idle flow of {} members one after the other: p50 {:.0} µs from the end of a member to that of the next ({:.1} commits of {:.0} µs), p99 {:.0} µs",
            self.members, self.p50_us, self.p50_in_commits, self.commit_us, self.p99_us
        )
    }
}
