//! Lifecycles of a host beside a hundred readers of its event log, against the same without.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use engine::{Engine, EventRequest};
use futures::StreamExt as _;
use model::{EventFamily, EventFilter, EventStart, Limits};
use serde::Serialize;
use tokio::task::JoinSet;

use super::measure::Plan;
use crate::Host;
use crate::cli::bench::lifecycles::{self, KIND};
use crate::cli::bench::measure::{failed, median};
use crate::cli::host::publish_file;
use crate::cli::io::{Context, Failure, to_stderr};
use crate::stopwatch::Stopwatch;

/// Kinds of the lifecycles, of which each filter admits one: a hundredth of the events.
const KINDS: usize = 100;
/// Readers with a filter; one without is beside them.
const FILTERED: usize = 99;
/// Longest the readers may take to see the last event.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two looks at what they have seen.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Lifecycles beside readers of the log on the same host.
#[derive(Debug, Serialize)]
pub struct Beside {
    /// Number of executions in flight.
    pub in_flight: usize,
    /// Readers: one of all events of the lifecycle family, and the others of a kind each,
    /// which has a hundredth of them.
    pub readers: usize,
    /// Lifecycles per second without readers.
    pub without_per_second: f64,
    /// Lifecycles per second with them.
    pub with_per_second: f64,
    /// Median of the second as a ratio to the first, of the same round.
    pub ratio: f64,
    /// Events per second that the reader of all got.
    pub events_per_second: f64,
}

/// Publishes the component for a hundred kinds; returns them. The worker serves them all
/// from here on.
pub async fn publish(
    context: &Context,
    host: &Host,
    component: &Path,
) -> Result<Vec<String>, Failure> {
    to_stderr(&format!("{KINDS} kinds"));
    let kinds: Vec<String> = (0..KINDS)
        .map(|number| format!("{KIND}-seen-{number}"))
        .collect();
    for kind in &kinds {
        publish_file(context, host, kind, component).await?;
    }
    for kind in &kinds {
        lifecycles::one(host.engine(), kind).await?;
    }
    Ok(kinds)
}

/// Measures rounds with and without readers, in turns.
pub async fn measure(
    host: &Host,
    kinds: &[String],
    in_flight: usize,
    plan: &Plan<'_>,
) -> Result<Beside, Failure> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let (mut ratios, mut events) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        // So that a machine that becomes faster or slower favors neither.
        let with_first = round % 2 == 1;
        if !with_first {
            let run = lifecycles::run_kinds(host, kinds, in_flight, plan.span).await?;
            without.push(run.per_second);
        }
        let readers = Readers::start(host.engine(), kinds).await?;
        let run = lifecycles::run_kinds(host, kinds, in_flight, plan.span).await?;
        let seen = readers.end(run.ended).await?;
        with.push(run.per_second);
        events.push(run.per_second * seen as f64 / run.ended.max(1) as f64);
        if with_first {
            let run = lifecycles::run_kinds(host, kinds, in_flight, plan.span).await?;
            without.push(run.per_second);
        }
        ratios.push(with[round as usize] / without[round as usize]);
    }
    Ok(Beside {
        in_flight,
        readers: FILTERED + 1,
        without_per_second: median(&mut without),
        with_per_second: median(&mut with),
        ratio: median(&mut ratios),
        events_per_second: median(&mut events),
    })
}

/// Readers that follow the log.
struct Readers {
    tasks: JoinSet<()>,
    /// Of the reader of all, and of those with a filter together.
    all: Arc<Seen>,
    filtered: Arc<Seen>,
}

/// What readers have seen.
#[derive(Default)]
struct Seen {
    events: AtomicU64,
    /// How many of them are ends of executions, of any kind.
    ends: AtomicU64,
    /// The same of kinds that a filter admits.
    ends_of_filtered: AtomicU64,
}

impl Readers {
    /// Starts them; they see everything from now on.
    async fn start(engine: &Engine, kinds: &[String]) -> Result<Self, Failure> {
        let (all, filtered) = (Arc::<Seen>::default(), Arc::<Seen>::default());
        let admitted: Arc<[String]> = kinds.iter().take(FILTERED).cloned().collect();
        let mut tasks = JoinSet::new();
        let filters = admitted.iter().cloned().map(Some).chain([None]);
        for kind in filters {
            let seen = if kind.is_some() { &filtered } else { &all };
            let request = EventRequest {
                family: EventFamily::Lifecycle,
                filter: EventFilter {
                    kind,
                    ..EventFilter::default()
                },
                limit: Limits::PAGE_MAX,
            };
            let begin = engine.events(&request, &EventStart::Now).await;
            let start = EventStart::After(begin.map_err(failed)?.cursor);
            let reading = read(
                engine.clone(),
                request,
                start,
                seen.clone(),
                admitted.clone(),
            );
            tasks.spawn(reading);
        }
        Ok(Self {
            tasks,
            all,
            filtered,
        })
    }

    /// Waits until they have seen the ends of so many executions, and ends them; returns
    /// how many events the reader of all has seen.
    async fn end(mut self, ended: u64) -> Result<u64, Failure> {
        let watch = Stopwatch::start();
        loop {
            let all = self.all.ends.load(Relaxed);
            let wanted = self.all.ends_of_filtered.load(Relaxed);
            let filtered = self.filtered.ends.load(Relaxed);
            if all == ended && filtered == wanted {
                break;
            }
            if watch.elapsed() > SEEN_WITHIN {
                let message = format!(
                    "of {ended} executions the reader of all saw {all} end, and of {wanted} the others saw {filtered}"
                );
                return Err(failed(message));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.tasks.shutdown().await;
        Ok(self.all.events.load(Relaxed))
    }
}

async fn read(
    engine: Engine,
    request: EventRequest,
    start: EventStart,
    seen: Arc<Seen>,
    admitted: Arc<[String]>,
) {
    let mut pages = pin!(engine.follow_events(request, start));
    // If it fails, the ends that it misses are told of.
    while let Some(Ok(page)) = pages.next().await {
        seen.events.fetch_add(page.events.len() as u64, Relaxed);
        for event in &page.events {
            if !event.logged.kind.as_ref().is_ok_and(|kind| kind.is_end()) {
                continue;
            }
            seen.ends.fetch_add(1, Relaxed);
            let kind = event.logged.execution_kind.as_deref();
            if admitted.iter().any(|it| Some(it.as_str()) == kind) {
                seen.ends_of_filtered.fetch_add(1, Relaxed);
            }
        }
    }
}

impl Beside {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "{} readers of events, all but one of a hundredth: {:.0} lifecycles per second at {} in flight, {:.0} without, ratio {:.2}; the reader of all got {:.0} events per second",
            self.readers,
            self.with_per_second,
            self.in_flight,
            self.without_per_second,
            self.ratio,
            self.events_per_second
        )
    }
}
