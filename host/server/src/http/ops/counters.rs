//! What the API counts since the start of its host: requests, their times, and streams.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::metrics::ByLabel;
use crate::http::limits::TimeLimit;

/// Upper bounds of the buckets for the time of requests, in seconds: from answers out of
/// memory to the longest wait.
const REQUEST_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0,
];

/// A label and its value.
type OneLabel = [(&'static str, &'static str); 1];

/// What the API counted since the start.
#[derive(Debug)]
pub struct Counters {
    began: Instant,
    answers: ByLabel<&'static str, Counter>,
    in_flight: AtomicI64,
    seconds: Family<OneLabel, Histogram, fn() -> Histogram>,
    /// Streams of events, open and ended.
    pub streams: Streams,
    /// Streams of attempts and their logs that are followed, and were.
    pub attempt_streams: Streams,
}

/// Streams that are open, and how those that ended did.
#[derive(Debug, Default)]
pub struct Streams {
    open: AtomicI64,
    ended: ByLabel<&'static str, Counter>,
}

impl Streams {
    /// Counts a stream that begins.
    pub fn begin(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    /// Counts a stream that ends.
    pub fn end(&self, verdict: &'static str) {
        self.open.fetch_sub(1, Relaxed);
        self.ended.get_or_create(&[("verdict", verdict)]).inc();
    }

    /// Registers them under the name of what is streamed.
    fn register(&self, registry: &mut Registry, name: &str, of: &str) {
        registry.register(
            name,
            format!("Streams of {of} that are open"),
            ConstGauge::new(self.open.load(Relaxed)),
        );
        registry.register(
            format!("{name}_ended"),
            format!("Streams of {of} that ended, by why"),
            self.ended.clone(),
        );
    }
}

/// Counts a request as in flight until dropped, also when it is abandoned.
#[derive(Debug)]
pub struct InFlight<'a>(&'a AtomicI64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Default for Counters {
    fn default() -> Self {
        let counters = Self {
            began: Instant::now(),
            answers: Family::default(),
            in_flight: AtomicI64::default(),
            streams: Streams::default(),
            attempt_streams: Streams::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS)),
        };
        for class in CLASSES {
            // So that a scrape shows each class from the start.
            drop(counters.answers.get_or_create(&[("class", class)]));
        }
        counters
    }
}

/// Classes of statuses, as a label has them.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Counters {
    /// Returns the time since the start.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Counts a request that begins.
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(&self.in_flight)
    }

    /// Counts an answer.
    pub fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len());
        let class = CLASSES[class - 1];
        self.answers.get_or_create(&[("class", class)]).inc();
    }

    /// Notes how long a request took on a route with this limit.
    pub fn took(&self, limit: TimeLimit, elapsed: Duration) {
        let labels = [("time_limit", limit.label())];
        let seconds = self.seconds.get_or_create(&labels);
        seconds.observe(elapsed.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Answers of the API by class of status",
            self.answers.clone(),
        );
        registry.register(
            "http_request_seconds",
            "Time that requests took, by the time limit of their route",
            self.seconds.clone(),
        );
        let in_flight = ConstGauge::new(self.in_flight.load(Relaxed));
        registry.register("http_in_flight", "Requests being answered", in_flight);
        self.streams.register(registry, "event_streams", "events");
        let (name, of) = ("attempt_streams", "attempts and their logs");
        self.attempt_streams.register(registry, name, of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ops::metrics::tests::page;

    #[test]
    fn requests_are_counted_by_class_and_while_they_last() {
        let counters = Counters::default();
        let one = counters.begin();
        counters.count(StatusCode::NOT_FOUND);
        counters.took(TimeLimit::Waits, Duration::from_millis(20));
        let now = page(|registry| counters.register(registry));
        for line in [
            "flowhost_http_in_flight 1",
            "flowhost_http_requests_total{class=\"4xx\"} 1",
            "flowhost_http_requests_total{class=\"2xx\"} 0",
            "flowhost_http_request_seconds_bucket{le=\"0.025\",time_limit=\"waits\"} 1",
            "flowhost_http_request_seconds_count{time_limit=\"waits\"} 1",
        ] {
            assert!(now.lines().any(|it| it == line), "{line}\n{now}");
        }
        drop(one);
        let then = page(|registry| counters.register(registry));
        assert!(then.contains("flowhost_http_in_flight 0\n"), "{then}");
    }
}
