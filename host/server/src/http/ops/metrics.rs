//! `/metrics`: counters, gauges and histograms in the OpenMetrics text format.
//!
//! Each scrape gathers them into a registry of its own; only histograms and the
//! counters of the API outlive it.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use engine::{Count, SweepFigures};
use prometheus_client::encoding::EncodeLabelValue;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::transport::tls::Tls;

/// Longest the database may take to count executions.
const COUNTS_TIMEOUT: Duration = Duration::from_secs(5);
/// A metric for each value of one label.
pub(super) type ByLabel<V, M> = Family<[(&'static str, V); 1], M>;

/// Metrics of this host and, while the database answers, of the instance.
#[utoipa::path(
    get, path = "/metrics", tag = "host",
    responses((status = 200, description = "In the text format of OpenMetrics", content(
        (String = "application/openmetrics-text"),
        (String = "text/plain"),
    )))
)]
pub async fn metrics(app: State<App>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let mut registry = Registry::with_prefix("flowhost");
    app.counters.register(&mut registry);
    app.runtime.register_metrics(&mut registry);
    app.engine.register_metrics(&mut registry);
    sweeps(&mut registry, &app.engine.sweep_figures());
    signals(&mut registry, &app.engine.signal_counts());
    host(&mut registry, &app);
    app.deliveries.register(&mut registry);
    app.doors.register_metrics(&mut registry);
    if let Some(tls) = &app.tls {
        self::tls(&mut registry, tls);
    }
    // A host without its database still has metrics: this one says so.
    let up = app.engine.is_database_up().await;
    registry.register(
        "database_up",
        "Whether the database answers and takes writes",
        ConstGauge::new(u32::from(up)),
    );
    if up && let Ok(Ok(counts)) = tokio::time::timeout(COUNTS_TIMEOUT, app.engine.counts()).await {
        executions(&mut registry, &counts);
    }
    if up
        && let Ok(Ok(counts)) =
            tokio::time::timeout(COUNTS_TIMEOUT, app.engine.webhook_counts()).await
    {
        webhooks(&mut registry, &counts);
    }
    let mut page = String::new();
    encode(&mut page, &registry)
        .map_err(|_| Problem::new(Code::Internal, "a metric cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, content_type(&headers))], page))
}

/// Returns the media type of the page: plain text for a reader that asks for that and not
/// for OpenMetrics.
fn content_type(headers: &HeaderMap) -> &'static str {
    let accepted = headers.get_all(header::ACCEPT);
    let accepts = |media_type: &str| {
        let mut values = accepted.iter().filter_map(|value| value.to_str().ok());
        values.any(|value| value.contains(media_type))
    };
    if accepts("text/plain") && !accepts("application/openmetrics-text") {
        "text/plain; charset=utf-8"
    } else {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
}

/// Builds counters that differ in one label.
fn counters<V>(
    label: &'static str,
    values: impl IntoIterator<Item = (V, u64)>,
) -> ByLabel<V, Counter>
where
    V: EncodeLabelValue + Clone + std::hash::Hash + Eq,
{
    let family = ByLabel::<V, Counter>::default();
    for (value, count) in values {
        family.get_or_create(&[(label, value)]).inc_by(count);
    }
    family
}

/// Builds gauges that differ in one label.
fn gauges<V>(label: &'static str, values: impl IntoIterator<Item = (V, i64)>) -> ByLabel<V, Gauge>
where
    V: EncodeLabelValue + Clone + std::hash::Hash + Eq,
{
    let family = ByLabel::<V, Gauge>::default();
    for (value, now) in values {
        family.get_or_create(&[(label, value)]).set(now);
    }
    family
}

/// Registers the state of the host: its tasks, its connections, whether it is woken.
fn host(registry: &mut Registry, app: &App) {
    registry.register(
        "task_panics",
        "Panics in long-lived tasks of this host; each is a defect",
        counters("task", app.engine.tasks().panics()),
    );
    let (open, idle) = app.engine.connections();
    let busy = open.saturating_sub(idle);
    registry.register(
        "database_connections",
        "Connections of this host to the database",
        gauges("use", [("busy", busy as i64), ("idle", idle as i64)]),
    );
    registry.register(
        "access_required",
        "Whether the API wants a credential of every caller",
        ConstGauge::new(u32::from(app.access.required)),
    );
    registry.register(
        "insecure_no_auth",
        "Whether the API may listen beyond the machine and let anybody do everything",
        ConstGauge::new(u32::from(app.access.insecure_no_auth)),
    );
    registry.register(
        "wake_ups",
        "1 for the state of wake-ups by other hosts: heard, deaf, unconnected or off",
        gauges("state", [(app.engine.wake_ups().as_str(), 1)]),
    );
}

/// Registers the certificate of the API.
fn tls(registry: &mut Registry, tls: &Tls) {
    registry.register(
        "tls_certificate_expires_at_seconds",
        "When the certificate of the API expires, in seconds since 1970",
        ConstGauge::new(tls.expires_at()),
    );
    registry.register(
        "tls_certificate_reads",
        "Times that the files of the certificate were read",
        counters("outcome", tls.reads()),
    );
}

fn executions(registry: &mut Registry, counts: &engine::Counts) {
    let parked = counts.parked.iter();
    let parked = parked.map(|(state, count)| (state.clone(), *count));
    let others = [("waiting", counts.waiting), ("active", counts.active)];
    let others = others.map(|(state, count)| (state.to_owned(), count));
    let states: Vec<_> = others.into_iter().chain(parked).collect();
    let of = |value: fn(&Count) -> i64| {
        let values = states.iter().map(|(state, it)| (state.clone(), value(it)));
        gauges("state", values)
    };
    registry.register(
        "executions",
        "Unfinished executions of the instance by state, up to five seconds ago; estimated where there are more than 10000",
        of(|count| count.rows as i64),
    );
    registry.register(
        "executions_estimated",
        "Whether the number of executions in the state is estimated",
        of(|count| i64::from(!count.exact)),
    );
    registry.register(
        "oldest_waiting_seconds",
        "Age of the execution that has been ready longest, or more with over 2000 lanes, namespaces, kinds and priorities in use",
        ConstGauge::new(counts.oldest_waiting_ms as f64 / 1e3),
    );
}

/// Registers how the webhooks of the instance stand.
fn webhooks(registry: &mut Registry, counts: &engine::WebhookCounts) {
    let states = counts.states.iter();
    registry.register(
        "webhooks",
        "Webhooks of the instance by state: active, paused or stalled",
        gauges(
            "state",
            states.map(|(state, count)| (state.as_str(), *count as i64)),
        ),
    );
    registry.register(
        "webhook_failing_seconds",
        "For how long the active webhook that has failed longest has been failing; 0 if none is",
        ConstGauge::new(counts.failing_ms as f64 / 1e3),
    );
}

/// Registers what became of the signals this host was given.
fn signals(registry: &mut Registry, figures: &[(&'static str, u64)]) {
    registry.register(
        "signals",
        "Signals this host was given, by effect, `duplicate`, or code of the refusal",
        counters("outcome", figures.iter().copied()),
    );
}

/// Registers what the sweeps of this host did. A sweep that never succeeded has no time
/// since its last success; one that runs long shows in its duration.
fn sweeps(registry: &mut Registry, figures: &[SweepFigures]) {
    let of = |value: fn(&SweepFigures) -> u64| {
        let values = figures.iter().map(|it| (it.condition, value(it)));
        counters("condition", values)
    };
    registry.register("reconciler_runs", "Times the sweep ran", of(|it| it.runs));
    registry.register(
        "reconciler_rows",
        "Rows the sweep acted on",
        of(|it| it.rows),
    );
    registry.register(
        "reconciler_errors",
        "Times the sweep failed",
        of(|it| it.errors),
    );
    let seconds = |value: fn(&SweepFigures) -> Option<Duration>| {
        let family = ByLabel::<&str, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        for it in figures {
            if let Some(value) = value(it) {
                let gauge = family.get_or_create(&[("condition", it.condition)]);
                gauge.set(value.as_secs_f64());
            }
        }
        family
    };
    registry.register(
        "reconciler_last_duration_seconds",
        "How long the sweep took last",
        seconds(|it| Some(it.last)),
    );
    registry.register(
        "reconciler_seconds_since_success",
        "How long ago the sweep ran without a fault",
        seconds(|it| it.since_success),
    );
    let behind = figures
        .iter()
        .map(|it| (it.condition, i64::from(it.behind)));
    registry.register(
        "reconciler_behind",
        "Whether the last run of the sweep found as much as it takes in one run",
        gauges("condition", behind),
    );
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::http::ops) fn page(register: impl FnOnce(&mut Registry)) -> String {
        let mut registry = Registry::with_prefix("flowhost");
        register(&mut registry);
        let mut page = String::new();
        encode(&mut page, &registry).expect("a string takes text");
        page
    }

    #[test]
    fn a_sweep_that_never_succeeded_has_no_time_since_it_did() {
        let figures = SweepFigures {
            condition: "deadlines",
            runs: 3,
            rows: 500,
            errors: 1,
            errors_in_a_row: 0,
            failing: None,
            running: None,
            last: Duration::from_millis(250),
            since_success: None,
            behind: true,
        };
        let page = page(|registry| sweeps(registry, &[figures]));
        for line in [
            "flowhost_reconciler_runs_total{condition=\"deadlines\"} 3",
            "flowhost_reconciler_rows_total{condition=\"deadlines\"} 500",
            "flowhost_reconciler_errors_total{condition=\"deadlines\"} 1",
            "flowhost_reconciler_last_duration_seconds{condition=\"deadlines\"} 0.25",
            "flowhost_reconciler_behind{condition=\"deadlines\"} 1",
        ] {
            assert!(page.lines().any(|it| it == line), "{line}\n{page}");
        }
        assert!(!page.contains("since_success{"), "{page}");
    }

    #[test]
    fn numbers_of_executions_say_whether_they_are_estimated() {
        let count = |rows, exact| Count { rows, exact };
        let counts = engine::Counts {
            waiting: count(1_000_000, false),
            active: count(7, true),
            parked: [("delayed".to_owned(), count(3, true))].into(),
            oldest_waiting_ms: 1500,
        };
        let page = page(|registry| executions(registry, &counts));
        for line in [
            "flowhost_executions{state=\"waiting\"} 1000000",
            "flowhost_executions_estimated{state=\"waiting\"} 1",
            "flowhost_executions{state=\"active\"} 7",
            "flowhost_executions_estimated{state=\"active\"} 0",
            "flowhost_executions{state=\"delayed\"} 3",
            "flowhost_executions_estimated{state=\"delayed\"} 0",
            "flowhost_oldest_waiting_seconds 1.5",
        ] {
            assert!(page.lines().any(|it| it == line), "{line}\n{page}");
        }
    }
}
