//! Whether tails keep up with streams that are appended to at a steady rate.

use std::time::Duration;

use engine::Engine;
use model::{Fence, FrameId};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::stream::{frame, open, tail};
use crate::Host;
use crate::cli::bench::measure::{failed, percentile, rss_bytes};
use crate::cli::io::{Failure, format_bytes};
use crate::stopwatch::Stopwatch;

/// How often each writer appends what is due: together they ride in few statements, as
/// writers of as many attempts would.
const EVERY: Duration = Duration::from_millis(10);
/// Longest a tail may be behind at the end.
const BEHIND_MAX: Duration = Duration::from_secs(30);

/// Tails beside a steady rate of appends.
#[derive(Debug, Serialize)]
pub struct KeepingUp {
    /// Number of streams that are followed.
    pub streams: usize,
    /// Number of tails of each stream.
    pub tails: usize,
    /// Frames per second that each was to get.
    pub wanted_per_second: u32,
    /// Frames per second that each got.
    pub appended_per_second: f64,
    /// Median time from the call of the append until each tail has the frame, in
    /// microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// How long after the last append the last tail had its last frame, in milliseconds.
    pub behind_ms: f64,
    /// Memory that the host holds more than before, in bytes.
    pub rss_grown_bytes: u64,
}

/// Appends to streams at a rate while tails follow each of them, for `span`.
pub async fn measure(
    host: &Host,
    streams: usize,
    per_second: u32,
    tails: usize,
    span: Duration,
) -> Result<KeepingUp, Failure> {
    let engine = host.engine();
    let fences = open(engine, streams).await?;
    let rss = rss_bytes();
    let watch = Stopwatch::start();
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for fence in fences {
        let begin = write_one(engine, fence, watch).await?;
        let due = u64::from(per_second) * span.as_millis() as u64 / 1_000;
        for _ in 0..tails {
            readers.spawn(follow(engine.clone(), fence, begin, due, watch));
        }
        writers.spawn(write(engine.clone(), fence, per_second, due, watch));
    }
    let began = watch.elapsed();
    let mut written = 0;
    while let Some(ended) = writers.join_next().await {
        written += ended.map_err(failed)??;
    }
    let ended = watch.elapsed();
    let mut times = Vec::new();
    let reading = async {
        while let Some(ended) = readers.join_next().await {
            times.extend(ended.map_err(failed)??);
        }
        Ok::<_, Failure>(())
    };
    let read = tokio::time::timeout(BEHIND_MAX, reading).await;
    read.map_err(|_| failed("a tail did not get every frame"))??;
    let behind = watch.elapsed().saturating_sub(ended);
    let per_second_and_stream = written as f64 / streams as f64 / (ended - began).as_secs_f64();
    let us = |times: &mut [Duration], share| percentile(times, share).as_micros() as f64;
    Ok(KeepingUp {
        streams,
        tails,
        wanted_per_second: per_second,
        appended_per_second: per_second_and_stream,
        p50_us: us(&mut times, 0.5),
        p99_us: us(&mut times, 0.99),
        behind_ms: behind.as_secs_f64() * 1e3,
        rss_grown_bytes: rss_bytes().saturating_sub(rss),
    })
}

/// Appends what is due every few milliseconds, in order; returns how many frames.
async fn write(
    engine: Engine,
    stream: Fence,
    per_second: u32,
    due: u64,
    watch: Stopwatch,
) -> Result<u64, Failure> {
    let mut ticks = interval(EVERY);
    // What one tick misses, a later one makes up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let began = watch.elapsed();
    let mut written = 0;
    while written < due {
        ticks.tick().await;
        let elapsed = watch.elapsed() - began;
        let until = (u64::from(per_second) * elapsed.as_millis() as u64 / 1_000 + 1).min(due);
        let frames = (written..until).map(|_| write_one(&engine, stream, watch));
        futures::future::try_join_all(frames).await?;
        written = until;
    }
    Ok(written)
}

/// Appends a frame that tells when it was appended.
async fn write_one(engine: &Engine, stream: Fence, watch: Stopwatch) -> Result<FrameId, Failure> {
    let mut frame = frame();
    let at = watch.elapsed().as_micros() as u64;
    frame.payload[..8].copy_from_slice(&at.to_be_bytes());
    let appended = engine.append_frame(stream, frame).await;
    Ok(appended.map_err(failed)?.frame_id)
}

/// Follows a stream for so many frames; returns how long each took.
async fn follow(
    engine: Engine,
    stream: Fence,
    mut after: FrameId,
    due: u64,
    watch: Stopwatch,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    while (times.len() as u64) < due {
        let page = engine.tail_stream(&tail(&stream, after, BEHIND_MAX)).await;
        let page = page.map_err(failed)?;
        let now = watch.elapsed();
        for frame in &page.frames {
            let at = frame.payload[..8].try_into().map_err(failed)?;
            times.push(now.saturating_sub(Duration::from_micros(u64::from_be_bytes(at))));
            after = frame.id;
        }
    }
    Ok(times)
}

impl KeepingUp {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "{} tails of each of {} streams: {:.0} of {} frames a second on each, seen p50 {:.0} µs and p99 {:.0} µs after the call of the append, the last {:.0} ms after the last append; {} of memory more",
            self.tails,
            self.streams,
            self.appended_per_second,
            self.wanted_per_second,
            self.p50_us,
            self.p99_us,
            self.behind_ms,
            format_bytes(self.rss_grown_bytes)
        )
    }
}
