//! The order of these measurements.

use std::time::Duration;

use engine::bench::Baseline;
use serde::Serialize;

use super::cancel::{self, Cancel};
use super::chain::{self, Chains};
use super::fan::{self, Fan};
use super::level::{self, Level};
use super::submit::{self, Submit};
use crate::Host;
use crate::cli::bench::report::Lifecycles;
use crate::cli::io::{Failure, to_stderr};

/// Members of flows that are cancelled.
const CANCELLED: [usize; 2] = [100, 10_000];
/// Members and edges of graphs that are submitted in one call.
const SUBMITTED: [(usize, usize); 2] = [(5_000, 10_000), (10_000, 50_000)];

/// What is measured, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often each is measured; the median counts.
    pub rounds: u32,
    /// How long each measurement of a rate is.
    pub span: Duration,
    /// Flows whose levels are timed one by one.
    pub seen: u32,
}

/// Flows, and lifecycles of executions outside flows.
#[derive(Debug, Serialize)]
pub struct Flows {
    /// Lifecycles outside flows in the same run, for a comparison with those of members, and
    /// of builds: the same command on both, in turns.
    pub lifecycles: Lifecycles,
    /// Members one after the other, several flows in flight.
    pub chains: Chains,
    /// The same on an idle host, one flow at a time.
    pub level: Level,
    /// Many members that wait for one, and one that waits for them.
    pub fan: Fan,
    /// Cancellations, one entry for each number of members.
    pub cancels: Vec<Cancel>,
    /// Large graphs, one entry for each.
    pub submits: Vec<Submit>,
}

/// Measures all of it. What it makes has ended when it returns.
pub async fn measure(host: &Host, baseline: &Baseline, plan: Plan) -> Result<Flows, Failure> {
    let engine = host.engine();
    to_stderr("levels of idle flows");
    let level = level::measure(host, baseline, plan.seen).await?;
    to_stderr("flows of members one after the other");
    let chains = chain::measure(host, baseline, plan).await?;
    to_stderr("flows of many members, and lifecycles outside flows");
    let (lifecycles, fan) = fan::measure(host, baseline, plan).await?;
    let (mut cancels, mut submits) = (Vec::new(), Vec::new());
    for members in CANCELLED {
        to_stderr(&format!("cancel of {members} members"));
        cancels.push(cancel::measure(engine, members, plan.rounds).await?);
    }
    for (members, edges) in SUBMITTED {
        to_stderr(&format!("graphs of {members} members and {edges} edges"));
        submits.push(submit::measure(engine, (members, edges), plan.rounds).await?);
    }
    Ok(Flows {
        lifecycles,
        chains,
        level,
        fan,
        cancels,
        submits,
    })
}

impl Flows {
    /// Describes the figures for people.
    pub fn lines(&self) -> Vec<String> {
        let run = &self.lifecycles;
        let mut lines = vec![
            format!(
                "lifecycles outside flows at {} in flight: {:.0} per second, {:.2} of inserts",
                run.in_flight, run.per_second, run.ratio
            ),
            self.chains.line(),
            self.level.line(),
            self.fan.line(),
        ];
        lines.extend(self.cancels.iter().map(Cancel::line));
        lines.extend(self.submits.iter().map(Submit::line));
        lines
    }
}
