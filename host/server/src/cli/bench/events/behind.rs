//! A reader that catches up over events that its filter drops.

use std::time::Duration;

use engine::{Engine, EventRequest, bench};
use model::{EventCursor, EventFamily, EventFilter, EventStart, Limits};
use serde::Serialize;

use super::measure::Plan;
use crate::Host;
use crate::cli::bench::lifecycles;
use crate::cli::bench::measure::{failed, median, rss_bytes};
use crate::cli::io::{Exit, Failure, format_bytes, to_stderr};
use crate::stopwatch::Stopwatch;

/// Lifecycles in flight while the reader catches up.
const IN_FLIGHT: usize = 64;
/// Kind that no execution has.
const NONE: &str = "bench-none";

/// A reader whose filter drops every event it has not read.
#[derive(Debug, Serialize)]
pub struct Behind {
    /// Events that its filter drops.
    pub dropped: u64,
    /// Time until it has read past them, with nothing else to do, in seconds.
    pub seconds: f64,
    /// Number of reads that this took.
    pub pages: u64,
    /// Pages after which its cursor was another than before.
    pub moved: u64,
    /// Memory that the host holds after it, beyond what it held before, in bytes.
    pub rss_grown_bytes: u64,
    /// Lifecycles per second without it.
    pub without_per_second: f64,
    /// The same while it catches up, again and again.
    pub with_per_second: f64,
    /// Median of the second as a ratio to the first, of the same round.
    pub ratio: f64,
    /// Median time in which it caught up meanwhile, in seconds.
    pub meanwhile_seconds: f64,
}

/// One way over the events.
struct Way {
    took: Duration,
    pages: u64,
    moved: u64,
}

/// Writes the events, and measures the reader alone and beside lifecycles.
pub async fn measure(host: &Host, dropped: u64, plan: &Plan<'_>) -> Result<Behind, Failure> {
    let engine = host.engine();
    let begin = engine.events(&request(), &EventStart::Now).await;
    let begin = begin.map_err(failed)?.cursor;
    to_stderr(&format!("writing {dropped} events"));
    bench::log_events(engine, dropped).await?;
    to_stderr(&format!("a reader behind {dropped} events"));
    let measured = with_events(host, dropped, &begin, plan).await;
    if host.database().embedded().is_none() {
        bench::clear_events(engine).await?;
    }
    measured
}

async fn with_events(
    host: &Host,
    dropped: u64,
    begin: &EventCursor,
    plan: &Plan<'_>,
) -> Result<Behind, Failure> {
    let engine = host.engine();
    let rss = rss_bytes();
    let alone = catch_up(engine, begin).await?;
    let rss_grown_bytes = rss_bytes().saturating_sub(rss);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let (mut ratios, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let run = lifecycles::run(host, IN_FLIGHT, plan.span).await?;
        without.push(run.per_second);
        let reader = {
            let (engine, begin) = (engine.clone(), begin.clone());
            let (tell, told) = tokio::sync::oneshot::channel::<()>();
            let reading = async move {
                let mut ways = Vec::new();
                let mut told = std::pin::pin!(told);
                loop {
                    let way = catch_up(&engine, &begin);
                    tokio::select! {
                        way = way => ways.push(way?.took.as_secs_f64()),
                        _ = &mut told => return Ok::<_, Failure>(ways),
                    }
                }
            };
            (tokio::spawn(reading), tell)
        };
        let run = lifecycles::run(host, IN_FLIGHT, plan.span).await?;
        let (reading, tell) = reader;
        drop(tell);
        let ways = reading.await;
        seconds.extend(ways.map_err(|error| Failure::new(Exit::Fault, error.to_string()))??);
        ratios.push(run.per_second / without[without.len() - 1]);
        with.push(run.per_second);
    }
    Ok(Behind {
        dropped,
        seconds: alone.took.as_secs_f64(),
        pages: alone.pages,
        moved: alone.moved,
        rss_grown_bytes,
        without_per_second: median(&mut without),
        with_per_second: median(&mut with),
        ratio: median(&mut ratios),
        meanwhile_seconds: median(&mut seconds),
    })
}

fn request() -> EventRequest {
    EventRequest {
        family: EventFamily::Lifecycle,
        filter: EventFilter {
            kind: Some(NONE.to_owned()),
            ..EventFilter::default()
        },
        limit: Limits::PAGE_MAX,
    }
}

/// Reads page after page until there is no more.
async fn catch_up(engine: &Engine, begin: &EventCursor) -> Result<Way, Failure> {
    let request = request();
    let watch = Stopwatch::start();
    let (mut pages, mut moved) = (0, 0);
    let mut cursor = begin.clone();
    loop {
        let start = EventStart::After(cursor.clone());
        let page = engine.events(&request, &start).await.map_err(failed)?;
        pages += 1;
        moved += u64::from(page.cursor != cursor);
        cursor = page.cursor;
        if !page.events.is_empty() {
            return Err(failed("a filter that admits none was given events"));
        }
        if !page.more {
            return Ok(Way {
                took: watch.elapsed(),
                pages,
                moved,
            });
        }
    }
}

impl Behind {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "a reader whose filter drops {} events: {:.2} s in {} pages, its cursor moved by {} of them, {} of memory; beside it {:.0} lifecycles per second at {IN_FLIGHT} in flight, {:.0} without, ratio {:.2}; meanwhile it takes {:.2} s",
            self.dropped,
            self.seconds,
            self.pages,
            self.moved,
            format_bytes(self.rss_grown_bytes),
            self.with_per_second,
            self.without_per_second,
            self.ratio,
            self.meanwhile_seconds
        )
    }
}
