//! The order of these measurements.

use std::path::Path;
use std::time::Duration;

use engine::bench::Baseline;
use serde::Serialize;

use super::behind::{self, Behind};
use super::beside::{self, Beside};
use super::cost::{self, Cost};
use super::latency::{self, Latency};
use crate::Host;
use crate::cli::bench::hosts::{self, Requires};
use crate::cli::io::{Context, Failure, to_stderr};
use crate::config::Config;

/// Lifecycles in flight at which the log is measured: few batches of many events, and many
/// of few.
const IN_FLIGHT: [usize; 2] = [64, 512];

/// What is measured, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The component of the lifecycles.
    pub component: &'a Path,
    /// How often lifecycles are measured; the median counts.
    pub rounds: u32,
    /// How long each of them is.
    pub span: Duration,
    /// Events that are waited for on another host.
    pub seen: u32,
    /// Events that a reader's filter drops; 0 leaves its measurement out.
    pub dropped: u64,
}

/// The event log and its readers.
#[derive(Debug, Serialize)]
pub struct EventLog {
    /// From an event's commit until a reader on another host has it.
    pub latency: Latency,
    /// What a lifecycle costs with its events and without readers, one entry for each number
    /// in flight.
    pub cost: Vec<Cost>,
    /// Lifecycles beside readers, one entry for each number in flight.
    pub beside: Vec<Beside>,
    /// A reader whose filter drops much; absent if it was left out.
    pub behind: Option<Behind>,
}

/// Measures all of it.
pub async fn measure(
    context: &Context,
    host: &Host,
    config: &Config,
    baseline: &Baseline,
    plan: &Plan<'_>,
) -> Result<EventLog, Failure> {
    to_stderr("events seen on another host");
    let other = hosts::start(host, config, Requires::Nothing).await?;
    let latency = latency::measure(host, &other, baseline, plan.seen).await;
    hosts::stop(vec![other]).await;
    let latency = latency?;
    let mut cost = Vec::new();
    for in_flight in IN_FLIGHT {
        to_stderr(&format!("cost of events at {in_flight} in flight"));
        cost.push(cost::measure(host, baseline, in_flight, plan).await?);
    }
    let behind = match plan.dropped {
        0 => None,
        dropped => Some(behind::measure(host, dropped, plan).await?),
    };
    let kinds = beside::publish(context, host, plan.component).await?;
    let mut beside = Vec::new();
    for in_flight in IN_FLIGHT {
        to_stderr(&format!("readers beside {in_flight} in flight"));
        beside.push(beside::measure(host, &kinds, in_flight, plan).await?);
    }
    Ok(EventLog {
        latency,
        cost,
        beside,
        behind,
    })
}

impl EventLog {
    /// Describes the figures for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.latency.line()];
        lines.extend(self.cost.iter().map(Cost::line));
        lines.extend(self.beside.iter().map(Beside::line));
        lines.extend(self.behind.iter().map(Behind::line));
        lines
    }
}
