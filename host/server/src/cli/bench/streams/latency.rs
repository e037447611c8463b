//! How soon a tail has a frame, while hosts have nothing else to do.

use std::time::Duration;

use engine::Engine;
use engine::bench::Baseline;
use model::{Fence, FrameId};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::stream::{frame, tail};
use crate::Host;
use crate::cli::bench::idle::PAUSE;
use crate::cli::bench::measure::{failed, percentile};
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Longest a frame may take.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// From the call of an append, which includes its commit, until a tail has the frame.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Median time, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Median time of one durable commit of one row, in microseconds.
    pub commit_us: f64,
    /// `p50_us` as a multiple of a commit.
    pub p50_in_commits: f64,
}

/// Appends so many frames on one host and waits for each on `follower`, alternating with
/// single commits.
pub async fn measure(
    host: &Host,
    follower: &Host,
    baseline: &Baseline,
    stream: Fence,
    count: u32,
) -> Result<Latency, Failure> {
    let engine = host.engine();
    let watch = Stopwatch::start();
    let first = append(engine, stream).await?;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let reading = read(follower.engine().clone(), stream, first, watch, tell);
    let reader = tokio::spawn(reading);
    let mut single = baseline.single(engine).await?;
    let (mut times, mut commits) = (Vec::new(), Vec::new());
    for run in 0..count {
        // Of different lengths, so that no period of a host is met again and again.
        let pause = PAUSE + Duration::from_micros(u64::from(run) * 7919 % 20_000);
        sleep(pause).await;
        let commit = Stopwatch::start();
        single.insert().await?;
        commits.push(commit.elapsed());
        sleep(pause).await;
        let called = watch.elapsed();
        let id = append(engine, stream).await?;
        let until = async {
            while let Some((of, at)) = seen.recv().await {
                if of == id {
                    return Ok(at);
                }
            }
            Err(failed("the tail of a stream ended"))
        };
        let at = timeout(SEEN_WITHIN, until).await;
        let at: Duration = at.map_err(|_| failed("a frame was not seen"))??;
        times.push(at.saturating_sub(called));
    }
    reader.abort();
    let us = |times: &mut [Duration], share| percentile(times, share).as_micros() as f64;
    let (p50_us, commit_us) = (us(&mut times, 0.5), us(&mut commits, 0.5));
    Ok(Latency {
        p50_us,
        p99_us: us(&mut times, 0.99),
        commit_us,
        p50_in_commits: p50_us / commit_us,
    })
}

async fn append(engine: &Engine, stream: Fence) -> Result<FrameId, Failure> {
    let appended = engine.append_frame(stream, frame()).await;
    Ok(appended.map_err(failed)?.frame_id)
}

/// Tells which frames a tail gets, and when.
async fn read(
    engine: Engine,
    stream: Fence,
    mut after: FrameId,
    watch: Stopwatch,
    tell: mpsc::UnboundedSender<(FrameId, Duration)>,
) {
    // Its end is told by the channel.
    while let Ok(page) = engine.tail_stream(&tail(&stream, after, SEEN_WITHIN)).await {
        let at = watch.elapsed();
        for frame in &page.frames {
            after = frame.id;
            if tell.send((frame.id, at)).is_err() {
                return;
            }
        }
    }
}

impl Latency {
    /// Describes the figures for people.
    pub fn line(&self, place: &str) -> String {
        format!(
            "frames on {place}: p50 {:.0} µs from the call of the append ({:.1} commits of {:.0} µs), p99 {:.0} µs",
            self.p50_us, self.p50_in_commits, self.commit_us, self.p99_us
        )
    }
}
