//! How many chains of members end in a second, while several are in flight.

use std::time::Duration;

use engine::Engine;
use engine::bench::Baseline;
use serde::Serialize;
use tokio::task::JoinSet;

use super::graph::{chain, last_ends, request, succeeded};
use super::measure::Plan;
use crate::Host;
use crate::cli::bench::lifecycles;
use crate::cli::bench::measure::{failed, median};
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Members of a chain.
pub const MEMBERS: usize = 10;
/// Flows in flight.
const IN_FLIGHT: usize = 16;

/// Chains of members, each of which waits for the one before it.
#[derive(Debug, Serialize)]
pub struct Chains {
    /// Number of members of each flow.
    pub members: usize,
    /// Number of flows in flight.
    pub in_flight: usize,
    /// Flows that ended, per second.
    pub per_second: f64,
    /// Their members, per second.
    pub members_per_second: f64,
    /// Median of the members per second as a ratio to the single-row inserts around them.
    pub ratio: f64,
}

/// Measures rounds of flows between rounds of inserts.
pub async fn measure(host: &Host, baseline: &Baseline, plan: Plan) -> Result<Chains, Failure> {
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    let mut before = lifecycles::inserts(host, baseline, plan.span).await?;
    for _ in 0..plan.rounds {
        let rate = run(host.engine(), plan.span).await?;
        let after = lifecycles::inserts(host, baseline, plan.span).await?;
        rates.push(rate);
        ratios.push(rate * MEMBERS as f64 / f64::midpoint(before, after));
        before = after;
    }
    let per_second = median(&mut rates);
    Ok(Chains {
        members: MEMBERS,
        in_flight: IN_FLIGHT,
        per_second,
        members_per_second: per_second * MEMBERS as f64,
        ratio: median(&mut ratios),
    })
}

/// Runs flows for a while; returns how many ended in a second, with those that were in flight
/// at the end of that while and the time they took.
async fn run(engine: &Engine, span: Duration) -> Result<f64, Failure> {
    let watch = Stopwatch::start();
    let mut callers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let engine = engine.clone();
        callers.spawn(async move {
            let mut ended = 0_u64;
            loop {
                let made = engine.create_flow(request(chain(MEMBERS))).await?;
                last_ends(&engine, &made).await?;
                ended += 1;
                if watch.elapsed() >= span {
                    return Ok::<_, Failure>((ended, watch.elapsed(), made.id));
                }
            }
        });
    }
    let (mut per_second, mut last) = (0.0, Vec::new());
    while let Some(caller) = callers.join_next().await {
        let (ended, took, id) = caller.map_err(failed)??;
        per_second += ended as f64 / took.as_secs_f64();
        last.push(id);
    }
    for id in last {
        succeeded(engine, id).await?;
    }
    Ok(per_second)
}

impl Chains {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "flows of {} members one after the other, {} in flight: {:.0} per second, {:.0} members per second, {:.2} of inserts",
            self.members, self.in_flight, self.per_second, self.members_per_second, self.ratio
        )
    }
}
