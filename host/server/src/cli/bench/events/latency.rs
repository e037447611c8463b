//! How soon an event is seen on another host, while both have nothing else to do.

use std::pin::pin;
use std::time::Duration;

use engine::bench::{self, Baseline};
use engine::{Create, Engine, EventRequest};
use futures::StreamExt as _;
use model::{EventFamily, EventFilter, EventStart, ExecutionId, Limits};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::Host;
use crate::cli::bench::idle::PAUSE;
use crate::cli::bench::lifecycles::{KIND, input};
use crate::cli::bench::measure::{failed, percentile};
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Lane of the delayed executions whose creation is seen.
const LANE: &str = "bench-events";
/// How long those are delayed: longer than a run.
const DELAY_MS: u64 = 24 * 3_600_000;
/// Longest an event may take.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// From an event's commit until a reader on another host of the database has it.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Median time from the answer of the verb that wrote the event, in microseconds; an
    /// event that is seen before that answer counts as zero.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Median time from the call of the verb, which includes its commit, in microseconds.
    pub from_call_p50_us: f64,
    /// Median time of one durable commit of one row, in microseconds.
    pub commit_us: f64,
    /// `p50_us` as a multiple of a commit.
    pub p50_in_commits: f64,
    /// `p99_us` as a multiple of a commit.
    pub p99_in_commits: f64,
}

/// Creates so many executions on one host and waits for each on the other, alternating with
/// single commits.
pub async fn measure(
    host: &Host,
    other: &Host,
    baseline: &Baseline,
    count: u32,
) -> Result<Latency, Failure> {
    let engine = host.engine();
    let watch = Stopwatch::start();
    let (tell, mut seen) = mpsc::unbounded_channel();
    let reader = tokio::spawn(read(other.engine().clone(), watch, tell));
    let measured = times(engine, baseline, count, watch, &mut seen).await;
    reader.abort();
    bench::clear(engine, LANE).await?;
    let Times {
        mut after,
        mut from_call,
        mut commits,
    } = measured?;
    let us = |times: &mut [Duration], share| percentile(times, share).as_micros() as f64;
    let commit_us = us(&mut commits, 0.5);
    let (p50_us, p99_us) = (us(&mut after, 0.5), us(&mut after, 0.99));
    Ok(Latency {
        p50_us,
        p99_us,
        from_call_p50_us: us(&mut from_call, 0.5),
        commit_us,
        p50_in_commits: p50_us / commit_us,
        p99_in_commits: p99_us / commit_us,
    })
}

#[derive(Default)]
struct Times {
    after: Vec<Duration>,
    from_call: Vec<Duration>,
    commits: Vec<Duration>,
}

async fn times(
    engine: &Engine,
    baseline: &Baseline,
    count: u32,
    watch: Stopwatch,
    seen: &mut mpsc::UnboundedReceiver<(ExecutionId, Duration)>,
) -> Result<Times, Failure> {
    let mut single = baseline.single(engine).await?;
    // What the reader sees of an execution made once it reads is the beginning.
    loop {
        let id = create(engine).await?;
        if timeout(PAUSE, until(seen, id)).await.is_ok() {
            break;
        }
    }
    let mut times = Times::default();
    for run in 0..count {
        // Of different lengths, so that no period of a host is met again and again.
        let pause = PAUSE + Duration::from_micros(u64::from(run) * 7919 % 20_000);
        tokio::time::sleep(pause).await;
        let commit = Stopwatch::start();
        single.insert().await?;
        times.commits.push(commit.elapsed());
        tokio::time::sleep(pause).await;
        let called = watch.elapsed();
        let id = create(engine).await?;
        let answered = watch.elapsed();
        let at = timeout(SEEN_WITHIN, until(seen, id)).await;
        let at = at.map_err(|_| failed("an event was not seen on another host"))??;
        times.after.push(at.saturating_sub(answered));
        times.from_call.push(at.saturating_sub(called));
    }
    Ok(times)
}

async fn create(engine: &Engine) -> Result<ExecutionId, Failure> {
    let create = Create {
        namespace: bench::NAMESPACE.to_owned(),
        lane: LANE.to_owned(),
        delay_ms: Some(DELAY_MS),
        ..Create::new(KIND, input())
    };
    Ok(engine.create(create).await?.id())
}

/// Waits for an event of an execution; returns when it was seen.
async fn until(
    seen: &mut mpsc::UnboundedReceiver<(ExecutionId, Duration)>,
    id: ExecutionId,
) -> Result<Duration, Failure> {
    while let Some((of, at)) = seen.recv().await {
        if of == id {
            return Ok(at);
        }
    }
    Err(failed("the reader of events ended"))
}

/// Tells of which executions there are events, and when each was seen.
async fn read(
    engine: Engine,
    watch: Stopwatch,
    tell: mpsc::UnboundedSender<(ExecutionId, Duration)>,
) {
    let request = EventRequest {
        family: EventFamily::Lifecycle,
        filter: EventFilter::default(),
        limit: Limits::PAGE_MAX,
    };
    let mut pages = pin!(engine.follow_events(request, EventStart::Now));
    // Its end is told by the channel.
    while let Some(Ok(page)) = pages.next().await {
        let at = watch.elapsed();
        for event in page.events {
            let Some(id) = event.logged.execution_id else {
                continue;
            };
            if tell.send((id, at)).is_err() {
                return;
            }
        }
    }
}

impl Latency {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "events on another host: p50 {:.0} µs after the commit ({:.1} commits of {:.0} µs), p99 {:.0} µs ({:.1}); p50 {:.0} µs from the call of the verb",
            self.p50_us,
            self.p50_in_commits,
            self.commit_us,
            self.p99_us,
            self.p99_in_commits,
            self.from_call_p50_us
        )
    }
}
