//! `/metrics`: counters and gauges in Prometheus's text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use engine::SweepFigures;

use crate::http::App;
use crate::http::problem::Problem;

/// Longest the database may take to count executions.
const COUNTS_TIMEOUT: Duration = Duration::from_secs(5);

/// What the API counted since the start.
#[derive(Debug)]
pub struct Counters {
    began: Instant,
    by_class: [AtomicU64; 5],
    in_flight: AtomicI64,
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
        Self {
            began: Instant::now(),
            by_class: Default::default(),
            in_flight: AtomicI64::default(),
        }
    }
}

impl Counters {
    /// Returns for how long there have been any.
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
        let class = usize::from(status.as_u16() / 100).clamp(1, 5);
        self.by_class[class - 1].fetch_add(1, Relaxed);
    }
}

/// Metrics of this host and, while the database answers, of the instance.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = crate::api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let mut page = Page::default();
    page.family(
        "flowhost_http_requests_total",
        "counter",
        "Answers of the API by class of status.",
    );
    for (class, count) in app.counters.by_class.iter().enumerate() {
        let labels = format!("{{class=\"{}xx\"}}", class + 1);
        page.sample("flowhost_http_requests_total", &labels, count.load(Relaxed));
    }
    page.family(
        "flowhost_http_in_flight",
        "gauge",
        "Requests being answered.",
    );
    page.sample(
        "flowhost_http_in_flight",
        "",
        app.counters.in_flight.load(Relaxed),
    );
    guests(&mut page, &app);
    sweeps(&mut page, &app.engine.sweep_figures());
    signals(&mut page, &app.engine.signal_figures());
    // A host without its database still has metrics: this one says so.
    let up = app.engine.is_database_up().await;
    page.family(
        "flowhost_database_up",
        "gauge",
        "Whether the database answers and takes writes.",
    );
    page.sample("flowhost_database_up", "", u8::from(up));
    if up && let Ok(Ok(counts)) = tokio::time::timeout(COUNTS_TIMEOUT, app.engine.counts()).await {
        executions(&mut page, &counts);
    }
    itself(&mut page, &app);
    Ok((
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        page.0,
    ))
}

/// Writes what the host is: its tasks, its connections, whether it is woken.
fn itself(page: &mut Page, app: &App) {
    let name = "flowhost_task_panics_total";
    page.family(
        name,
        "counter",
        "Panics in long-lived tasks of this host; each is a defect.",
    );
    for (task, panics) in app.engine.tasks().panics() {
        page.sample(name, &format!("{{task=\"{task}\"}}"), panics);
    }
    let (open, idle) = app.engine.connections();
    let name = "flowhost_database_connections";
    page.family(name, "gauge", "Connections of this host to the database.");
    page.sample(name, "{use=\"busy\"}", (open as usize).saturating_sub(idle));
    page.sample(name, "{use=\"idle\"}", idle);
    let name = "flowhost_wake_ups";
    page.family(
        name,
        "gauge",
        "1 for what becomes of the wake-ups of other hosts: heard, deaf, unconnected or off.",
    );
    let state = app.engine.wake_ups();
    page.sample(name, &format!("{{state=\"{}\"}}", state.as_str()), 1);
}

fn executions(page: &mut Page, counts: &engine::Counts) {
    let name = "flowhost_executions";
    page.family(
        name,
        "gauge",
        "Unfinished executions of the instance by state.",
    );
    page.sample(name, "{state=\"waiting\"}", counts.waiting);
    page.sample(name, "{state=\"active\"}", counts.active);
    for (state, count) in &counts.parked {
        page.sample(name, &format!("{{state=\"{state}\"}}"), count);
    }
    let name = "flowhost_oldest_waiting_seconds";
    page.family(
        name,
        "gauge",
        "Age of the execution that has been ready longest.",
    );
    page.sample(name, "", counts.oldest_waiting_ms as f64 / 1e3);
}

fn guests(page: &mut Page, app: &App) {
    let metrics = app.runtime.metrics();
    let name = "flowhost_attempts_ended_total";
    page.family(
        name,
        "counter",
        "Attempts of this host that ended, by outcome or code of the failure.",
    );
    for (end, count) in &metrics.attempts_ended {
        page.sample(name, &format!("{{end=\"{}\"}}", label(end)), count);
    }
    for (name, kind, help, value) in [
        (
            "attempts_started_total",
            "counter",
            "Attempts this host began.",
            metrics.attempts_started,
        ),
        (
            "outcomes_unrecorded_total",
            "counter",
            "Attempts whose outcome could not be recorded in time.",
            metrics.outcomes_unrecorded,
        ),
        (
            "claims_total",
            "counter",
            "Claims this host sent.",
            metrics.claims,
        ),
        (
            "claim_faults_total",
            "counter",
            "Claims of this host that failed.",
            metrics.claim_faults,
        ),
        (
            "leases_renewed_total",
            "counter",
            "Leases this host renewed.",
            metrics.leases_renewed,
        ),
        (
            "sandboxes_live",
            "gauge",
            "Sandboxes open on this host.",
            metrics.sandboxes_live,
        ),
        (
            "sandboxes_max",
            "gauge",
            "Most sandboxes open at once on this host.",
            metrics.sandboxes_max,
        ),
        (
            "sandboxes_waiting",
            "gauge",
            "Attempts and services that wait for room for their sandbox.",
            metrics.sandboxes_waiting,
        ),
        (
            "sandboxes_growing",
            "gauge",
            "Sandboxes that wait for memory.",
            metrics.sandboxes_growing,
        ),
        (
            "sandboxes_refused_total",
            "counter",
            "Sandboxes stopped because others held the memory they wanted.",
            metrics.sandboxes_refused,
        ),
        (
            "sandbox_memory_bytes",
            "gauge",
            "Memory that the sandboxes of this host hold.",
            metrics.memory_bytes,
        ),
        (
            "sandbox_memory_bytes_max",
            "gauge",
            "Most memory that the sandboxes of this host hold together.",
            metrics.memory_bytes_max,
        ),
        (
            "sandbox_pool_kept_bytes_max",
            "gauge",
            "Most memory that closed sandboxes leave in the pool, beside what open ones hold.",
            metrics.memory_kept_bytes_max,
        ),
        (
            "services_running",
            "gauge",
            "Worker components running on this host.",
            metrics.services_running,
        ),
        (
            "service_restarts_total",
            "counter",
            "Worker components of this host that ended by themselves and were started again.",
            metrics.service_restarts,
        ),
        (
            "compiles_total",
            "counter",
            "Components this host compiled.",
            metrics.compiles,
        ),
        (
            "compiling",
            "gauge",
            "Components this host compiles, those that wait for it among them.",
            metrics.compiling,
        ),
        (
            "publishing",
            "gauge",
            "Components this host publishes.",
            metrics.publishing,
        ),
        (
            "components_loaded",
            "gauge",
            "Components this host has in memory.",
            metrics.components_loaded,
        ),
        (
            "components_unavailable",
            "gauge",
            "Components routed to that this host cannot run now.",
            metrics.components_unavailable,
        ),
        (
            "code_loaded_bytes",
            "gauge",
            "Compiled code this host has in memory.",
            metrics.code_loaded_bytes,
        ),
        (
            "code_cached_bytes",
            "gauge",
            "Compiled code this host has on disk.",
            metrics.code_cached_bytes,
        ),
        (
            "guest_ticks_total",
            "counter",
            "Ticks of the thread that interrupts guests.",
            metrics.ticks,
        ),
    ] {
        let name = format!("flowhost_{name}");
        page.family(&name, kind, help);
        page.sample(&name, "", value);
    }
    let name = "flowhost_sandbox_wall_seconds";
    page.family(
        name,
        "summary",
        "Time in the sandbox, rounded up to a power of two of microseconds.",
    );
    page.sample(
        name,
        "{quantile=\"0.5\"}",
        metrics.sandbox_wall_us_p50 as f64 / 1e6,
    );
    page.sample(
        name,
        "{quantile=\"0.99\"}",
        metrics.sandbox_wall_us_p99 as f64 / 1e6,
    );
    page.sample(
        &format!("{name}_count"),
        "",
        metrics.attempts_ended.values().sum::<u64>(),
    );
}

/// What became of the signals this host was given.
fn signals(page: &mut Page, figures: &[(&'static str, u64)]) {
    let name = "flowhost_signals_total";
    page.family(
        name,
        "counter",
        "Signals this host was given, by effect, `duplicate`, or code of the refusal.",
    );
    for (outcome, count) in figures {
        page.sample(name, &format!("{{outcome=\"{outcome}\"}}"), count);
    }
}

/// What the sweeps of this host did. A sweep that never succeeded has no time
/// since its last success; one that runs long shows in its duration.
fn sweeps(page: &mut Page, figures: &[SweepFigures]) {
    type Value = fn(&SweepFigures) -> Option<f64>;
    let families: [(&str, &str, &str, Value); 6] = [
        ("runs_total", "counter", "Times the sweep ran.", |it| {
            Some(it.runs as f64)
        }),
        ("rows_total", "counter", "Rows the sweep acted on.", |it| {
            Some(it.rows as f64)
        }),
        ("errors_total", "counter", "Times the sweep failed.", |it| {
            Some(it.errors as f64)
        }),
        (
            "last_duration_seconds",
            "gauge",
            "How long the sweep took last.",
            |it| Some(it.last.as_secs_f64()),
        ),
        (
            "seconds_since_success",
            "gauge",
            "How long ago the sweep ran without a fault.",
            |it| it.since_success.map(|since| since.as_secs_f64()),
        ),
        (
            "behind",
            "gauge",
            "Whether the sweep found as much as it takes at once the last time.",
            |it| Some(f64::from(u8::from(it.behind))),
        ),
    ];
    for (name, kind, help, value) in families {
        let name = format!("flowhost_reconciler_{name}");
        page.family(&name, kind, help);
        for figures in figures {
            if let Some(value) = value(figures) {
                let labels = format!("{{condition=\"{}\"}}", figures.condition);
                page.sample(&name, &labels, value);
            }
        }
    }
}

/// Codes of failures are the guests' to choose: what could end a label is
/// replaced.
fn label(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_")
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_be_ended_by_a_guest() {
        assert_eq!(label("bad_input"), "bad_input");
        assert_eq!(label("a\"} 1\nb"), "a___1_b");
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
        let mut page = Page::default();
        sweeps(&mut page, &[figures]);
        for line in [
            "flowhost_reconciler_runs_total{condition=\"deadlines\"} 3",
            "flowhost_reconciler_rows_total{condition=\"deadlines\"} 500",
            "flowhost_reconciler_errors_total{condition=\"deadlines\"} 1",
            "flowhost_reconciler_last_duration_seconds{condition=\"deadlines\"} 0.25",
            "flowhost_reconciler_behind{condition=\"deadlines\"} 1",
        ] {
            assert!(page.0.lines().any(|it| it == line), "{line}\n{}", page.0);
        }
        assert!(!page.0.contains("since_success{"), "{}", page.0);
    }

    #[test]
    fn requests_are_counted_by_class_and_while_they_last() {
        let counters = Counters::default();
        {
            let _one = counters.begin();
            assert_eq!(counters.in_flight.load(Relaxed), 1);
        }
        counters.count(StatusCode::NOT_FOUND);
        assert_eq!(counters.in_flight.load(Relaxed), 0);
        assert_eq!(counters.by_class[3].load(Relaxed), 1);
    }
}
