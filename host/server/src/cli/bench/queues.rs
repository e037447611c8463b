//! Claims from long queues, many delays due at once, and many leases renewed.

use std::time::Duration;

use engine::bench;

use super::lifecycles::KIND;
use super::measure::{median, percentile, rss_bytes};
use super::report::{Backlog, Delays, Leases};
use crate::Host;
use crate::cli::io::{Failure, to_stderr};

/// Lane of the backlog, which the worker does not serve.
const BACKLOG_LANE: &str = "bench-backlog";
/// Lane of the many delays, leases and suspensions, which it does not serve either.
pub const HERD_LANE: &str = "bench-herd";
/// Number of delays that are due at once, and of ready executions in the lane that is
/// claimed from meanwhile.
const HERD: u64 = 10_000;
const HERD_BACKLOG: u64 = 1_000;
/// Number of leases that are renewed together, and of renewals.
const LEASES: u64 = 10_000;
const RENEWALS: u32 = 10;

/// Measures claims from a queue that grows from one size to the next; also returns the
/// memory held while it was longest, in bytes.
pub async fn backlogs(
    host: &Host,
    sizes: &[u64],
    span: Duration,
) -> Result<(Vec<Backlog>, u64), Failure> {
    let engine = host.engine();
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    let mut ready = 0;
    let mut measured: Vec<Backlog> = Vec::new();
    for size in sizes {
        to_stderr(&format!("claims with {size} ready"));
        bench::backlog(engine, BACKLOG_LANE, KIND, size.saturating_sub(ready)).await?;
        ready = size;
        let mut times = bench::claims(engine, BACKLOG_LANE, None, span).await?;
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

/// Measures delays that are due at the same moment, and claims from another lane
/// meanwhile.
pub async fn delays(host: &Host, rounds: u32, span: Duration) -> Result<Delays, Failure> {
    let engine = host.engine();
    to_stderr(&format!("{HERD} delays due at once"));
    bench::backlog(engine, BACKLOG_LANE, KIND, HERD_BACKLOG).await?;
    let mut alone = bench::claims(engine, BACKLOG_LANE, None, span).await?;
    let alone_p99_us = percentile(&mut alone, 0.99).as_micros() as f64;
    let mut promoted = Vec::new();
    let mut meanwhile = Vec::new();
    for _ in 0..rounds {
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

/// Measures the renewal of the leases of long attempts, as their keeper renews them.
pub async fn leases(host: &Host) -> Result<Leases, Failure> {
    let engine = host.engine();
    to_stderr(&format!("renewing {LEASES} leases"));
    let mut renewals = bench::renewals(engine, HERD_LANE, KIND, LEASES, RENEWALS).await?;
    bench::clear(engine, HERD_LANE).await?;
    Ok(Leases {
        leases: renewals.leases,
        statements: renewals.statements,
        p50_ms: percentile(&mut renewals.times, 0.5).as_secs_f64() * 1e3,
        max_ms: percentile(&mut renewals.times, 1.0).as_secs_f64() * 1e3,
    })
}
