//! The order of these measurements.

use std::time::Duration;

use engine::bench::{self, Baseline};
use serde::Serialize;

use super::appends::{self, Appends};
use super::keeping_up::{self, KeepingUp};
use super::latency::{self, Latency};
use super::stream::{LANE, open};
use crate::Host;
use crate::cli::bench::hosts::{self, Requires};
use crate::cli::io::{Failure, to_stderr};
use crate::config::Config;

/// Streams that are appended to; those of one writer each, and some that writers share.
const STREAMS: [usize; 2] = [appends::IN_FLIGHT, 64];
/// Streams that are followed, how many frames a second each gets, and the tails of each.
const FOLLOWED: [(usize, u32, usize); 2] = [(100, 100, 1), (1, 1_000, 100)];

/// What is measured, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often appends are measured; the median counts.
    pub rounds: u32,
    /// How long each measurement is.
    pub span: Duration,
    /// Frames that are waited for one by one.
    pub seen: u32,
}

/// Attempt streams and their tails.
#[derive(Debug, Serialize)]
pub struct Streams {
    /// Appends, one entry for each number of streams.
    pub appends: Vec<Appends>,
    /// From an append until a tail on the same host has the frame.
    pub same_host: Latency,
    /// From an append until a tail on another host has the frame.
    pub other_host: Latency,
    /// Tails beside a steady rate of appends.
    pub followed: Vec<KeepingUp>,
}

/// Measures all of it, under leases that are taken for it and removed with their executions.
pub async fn measure(
    host: &Host,
    config: &Config,
    baseline: &Baseline,
    plan: Plan,
) -> Result<Streams, Failure> {
    let measured = under_leases(host, config, baseline, plan).await;
    bench::clear_streams(host.engine(), LANE).await?;
    measured
}

async fn under_leases(
    host: &Host,
    config: &Config,
    baseline: &Baseline,
    plan: Plan,
) -> Result<Streams, Failure> {
    let mut appends = Vec::new();
    for streams in STREAMS {
        to_stderr(&format!("appends to {streams} streams"));
        appends.push(appends::measure(host, baseline, streams, plan).await?);
    }
    to_stderr("frames seen by tails");
    let stream = open(host.engine(), 1).await?.remove(0);
    let same_host = latency::measure(host, host, baseline, stream, plan.seen).await?;
    let other = hosts::start(host, config, Requires::Nothing).await?;
    let other_host = latency::measure(host, &other, baseline, stream, plan.seen).await;
    hosts::stop(vec![other]).await;
    let other_host = other_host?;
    let mut followed = Vec::new();
    for (streams, per_second, tails) in FOLLOWED {
        to_stderr(&format!(
            "{tails} tails of each of {streams} streams with {per_second} frames a second"
        ));
        followed.push(keeping_up::measure(host, streams, per_second, tails, plan.span).await?);
    }
    Ok(Streams {
        appends,
        same_host,
        other_host,
        followed,
    })
}

impl Streams {
    /// Describes the figures for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.appends.iter().map(Appends::line).collect();
        lines.push(self.same_host.line("the same host"));
        lines.push(self.other_host.line("another host"));
        lines.extend(self.followed.iter().map(KeepingUp::line));
        lines
    }
}
