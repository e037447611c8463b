//! How fast frames are appended, each acknowledged by itself.

use std::time::Duration;

use engine::Engine;
use engine::bench::Baseline;
use model::Fence;
use serde::Serialize;
use tokio::task::JoinSet;

use super::measure::Plan;
use super::stream::{FRAME_BYTES, frame, open};
use crate::Host;
use crate::cli::bench::lifecycles;
use crate::cli::bench::measure::{failed, median};
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Appends in flight.
pub const IN_FLIGHT: usize = 2_048;

/// Frames appended one at a time by many writers.
#[derive(Debug, Serialize)]
pub struct Appends {
    /// Number of appends in flight.
    pub in_flight: usize,
    /// Number of streams they are spread over.
    pub streams: usize,
    /// Bytes of the payload of each frame.
    pub frame_bytes: usize,
    /// Frames that were acknowledged per second.
    pub per_second: f64,
    /// Median of the frames per second as a ratio to the single-row inserts around them.
    pub ratio: f64,
}

/// Measures rounds of appends between rounds of inserts.
pub async fn measure(
    host: &Host,
    baseline: &Baseline,
    streams: usize,
    plan: Plan,
) -> Result<Appends, Failure> {
    let fences = open(host.engine(), streams).await?;
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    let mut before = lifecycles::inserts(host, baseline, plan.span).await?;
    for _ in 0..plan.rounds {
        let rate = append(host.engine(), &fences, plan.span).await?;
        let after = lifecycles::inserts(host, baseline, plan.span).await?;
        rates.push(rate);
        ratios.push(rate / f64::midpoint(before, after));
        before = after;
    }
    Ok(Appends {
        in_flight: IN_FLIGHT,
        streams,
        frame_bytes: FRAME_BYTES,
        per_second: median(&mut rates),
        ratio: median(&mut ratios),
    })
}

/// Appends for a while; returns how many frames a second.
async fn append(engine: &Engine, fences: &[Fence], span: Duration) -> Result<f64, Failure> {
    let watch = Stopwatch::start();
    let mut writers = JoinSet::new();
    for fence in fences.iter().copied().cycle().take(IN_FLIGHT) {
        let engine = engine.clone();
        writers.spawn(async move {
            let mut appended = 0_u64;
            while watch.elapsed() < span {
                engine.append_frame(fence, frame()).await.map_err(failed)?;
                appended += 1;
            }
            Ok::<_, Failure>(appended)
        });
    }
    let mut appended = 0;
    while let Some(ended) = writers.join_next().await {
        appended += ended.map_err(failed)??;
    }
    Ok(appended as f64 / watch.elapsed().as_secs_f64())
}

impl Appends {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "frames of {} bytes, {} in flight on {} streams: {:.0} per second, {:.2} of inserts",
            self.frame_bytes, self.in_flight, self.streams, self.per_second, self.ratio
        )
    }
}
