//! What kinds cost each other: a rare one behind many executions of others, and a host
//! that serves fifty.

use std::path::Path;
use std::time::Duration;

use engine::bench;
use serde::Serialize;

use super::lifecycles::{self, KIND};
use super::measure::percentile;
use crate::Host;
use crate::cli::host::publish_file;
use crate::cli::io::{Context, Failure, to_stderr};

/// Kind of the backlog, which no worker serves.
const OTHER: &str = "bench-other";
/// Lane of the queues that only the benchmark claims from.
const LANE: &str = "bench-kinds";
/// Number of kinds that a host of many serves.
const KINDS: usize = 50;
/// Executions in flight, as many as a host with a few slots has.
const IN_FLIGHT: usize = 64;
/// Ready executions of each kind: so many rounds through the kinds, and so many in each.
const ROUNDS: u64 = 10;
const EACH: u64 = 10;

/// What claims of one kind pay for the others.
#[derive(Debug, Serialize)]
pub struct Kinds {
    /// Ready executions of another kind in the same lane and namespace.
    pub others: u64,
    /// Lifecycles of a kind without them, per second.
    pub alone_per_second: f64,
    /// Lifecycles of the kind behind them, per second.
    pub behind_per_second: f64,
    /// Time of a lifecycle behind them as a ratio to the time without.
    pub behind_ratio: f64,
    /// Lifecycles of fifty kinds on a host that serves them, per second.
    pub fifty_per_second: f64,
    /// Time of such a lifecycle as a ratio to that of one kind.
    pub fifty_ratio: f64,
    /// Median time of a claim of 50 of the only kind that waits, in microseconds.
    pub claim_one_us: f64,
    /// The same of fifty kinds of which one waits, as a ratio.
    pub claim_one_of_fifty_ratio: f64,
    /// The same of fifty kinds of which all wait, as a ratio.
    pub claim_fifty_ratio: f64,
}

/// Measures a kind behind `others` executions of another, then fifty kinds of the same
/// component.
pub async fn measure(
    context: &Context,
    host: &Host,
    component: &Path,
    others: u64,
    span: Duration,
) -> Result<Kinds, Failure> {
    let engine = host.engine();
    to_stderr(&format!("a kind behind {others} executions of another"));
    let alone = lifecycles::run(host, IN_FLIGHT, span).await?.per_second;
    bench::backlog(engine, model::LANE_DEFAULT, OTHER, others).await?;
    let behind = lifecycles::run(host, IN_FLIGHT, span).await?.per_second;
    bench::clear_ready(engine, OTHER).await?;

    to_stderr(&format!("{KINDS} kinds"));
    let kinds: Vec<String> = (1..KINDS)
        .map(|number| format!("{KIND}-{number}"))
        .chain([KIND.to_owned()])
        .collect();
    for kind in &kinds {
        publish_file(context, host, kind, component).await?;
    }
    // The worker serves them all from here on.
    lifecycles::run_kinds(host, &kinds, IN_FLIGHT, span).await?;
    let fifty = lifecycles::run_kinds(host, &kinds, IN_FLIGHT, span).await?;

    let count = ROUNDS * EACH * KINDS as u64;
    bench::backlog(engine, LANE, KIND, count).await?;
    let one = claim_us(host, &[KIND.to_owned()], span).await?;
    let one_of_fifty = claim_us(host, &kinds, span).await?;
    bench::clear(engine, LANE).await?;
    for _ in 0..ROUNDS {
        for kind in &kinds {
            bench::backlog(engine, LANE, kind, EACH).await?;
        }
    }
    let fifty_wait = claim_us(host, &kinds, span).await?;
    bench::clear(engine, LANE).await?;
    Ok(Kinds {
        others,
        alone_per_second: alone,
        behind_per_second: behind,
        behind_ratio: alone / behind,
        fifty_per_second: fifty.per_second,
        fifty_ratio: alone / fifty.per_second,
        claim_one_us: one,
        claim_one_of_fifty_ratio: one_of_fifty / one,
        claim_fifty_ratio: fifty_wait / one,
    })
}

async fn claim_us(host: &Host, kinds: &[String], span: Duration) -> Result<f64, Failure> {
    let mut times = bench::claims(host.engine(), LANE, Some(kinds), span).await?;
    Ok(percentile(&mut times, 0.5).as_micros() as f64)
}

impl Kinds {
    /// Describes the figures for people.
    pub fn lines(&self) -> [String; 2] {
        [
            format!(
                "a rare kind: {:.0} lifecycles per second at {IN_FLIGHT} in flight behind {} ready executions of another kind, {:.0} without, {:.2} times the time",
                self.behind_per_second, self.others, self.alone_per_second, self.behind_ratio
            ),
            format!(
                "{KINDS} kinds served: {:.0} lifecycles per second, {:.2} times the time of one kind; claims of 50 take {:.0} µs of the one kind that waits, {:.2} times as long when {KINDS} are asked for and one waits, {:.2} times when all wait",
                self.fifty_per_second,
                self.fifty_ratio,
                self.claim_one_us,
                self.claim_one_of_fifty_ratio,
                self.claim_fifty_ratio
            ),
        ]
    }
}
