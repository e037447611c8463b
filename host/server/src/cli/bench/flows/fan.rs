//! A member, a thousand that wait for it, and one that waits for all of those, against
//! lifecycles of executions outside flows.

use std::time::Duration;

use engine::Engine;
use engine::bench::Baseline;
use serde::Serialize;

use super::graph::{fan, last_ends, request, succeeded};
use super::measure::Plan;
use crate::Host;
use crate::cli::bench::lifecycles;
use crate::cli::bench::measure::median;
use crate::cli::bench::report::Lifecycles;
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Members that wait for the first, and executions in flight outside flows.
const WIDTH: usize = 1_000;
/// Shortest time of lifecycles outside flows: the first thousand are created together.
const LIFECYCLES_MIN: Duration = Duration::from_secs(1);

/// Flows whose members wait for the first, and whose last waits for all.
#[derive(Debug, Serialize)]
pub struct Fan {
    /// Number of members of each flow.
    pub members: usize,
    /// Flows that were run, one at a time; of all rounds together.
    pub flows: usize,
    /// Median time of the call that creates the flow, in milliseconds.
    pub submit_ms: f64,
    /// Members per second, from the call until the last has ended.
    pub from_submission_per_second: f64,
    /// Median of the same as a ratio to the lifecycles outside flows around them.
    pub from_submission_ratio: f64,
    /// Members per second, from the answer of the call, since when the first member is ready,
    /// until the last has ended.
    pub from_ready_per_second: f64,
    /// Median of the same as a ratio to the lifecycles outside flows around them.
    pub from_ready_ratio: f64,
}

/// Measures rounds of flows between rounds of lifecycles outside flows; returns both.
pub async fn measure(
    host: &Host,
    baseline: &Baseline,
    plan: Plan,
) -> Result<(Lifecycles, Fan), Failure> {
    let (mut all, mut submissions, mut readies) = (Vec::new(), Vec::new(), Vec::new());
    let mut inserts = lifecycles::inserts(host, baseline, plan.span).await?;
    let mut runs = vec![outside(host, baseline, &mut inserts, plan.span).await?];
    let mut before = runs[0].per_second;
    for _ in 0..plan.rounds {
        let times = flows_for(host.engine(), plan.span).await?;
        let run = outside(host, baseline, &mut inserts, plan.span).await?;
        let around = f64::midpoint(before, run.per_second);
        submissions.push(rate(&times, |time| time.submit + time.rest) / around);
        readies.push(rate(&times, |time| time.rest) / around);
        before = run.per_second;
        runs.push(run);
        all.extend(times);
    }
    let mut submits: Vec<_> = all.iter().map(|time| time.submit.as_secs_f64()).collect();
    let fan = Fan {
        members: WIDTH + 2,
        flows: all.len(),
        submit_ms: median(&mut submits) * 1e3,
        from_submission_per_second: rate(&all, |time| time.submit + time.rest),
        from_submission_ratio: median(&mut submissions),
        from_ready_per_second: rate(&all, |time| time.rest),
        from_ready_ratio: median(&mut readies),
    };
    Ok((Lifecycles::median(&runs), fan))
}

/// Measures lifecycles outside flows, between the inserts before them and new ones, which
/// replace those.
async fn outside(
    host: &Host,
    baseline: &Baseline,
    inserts: &mut f64,
    span: Duration,
) -> Result<Lifecycles, Failure> {
    let mut run = lifecycles::run(host, WIDTH, span.max(LIFECYCLES_MIN)).await?;
    let after = lifecycles::inserts(host, baseline, span).await?;
    run.ratio = run.per_second / f64::midpoint(*inserts, after);
    *inserts = after;
    Ok(run)
}

/// What one flow took.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// The call that creates it.
    submit: Duration,
    /// From then on until its last member has ended.
    rest: Duration,
}

/// Runs flows one after the other for a while, at least one.
async fn flows_for(engine: &Engine, span: Duration) -> Result<Vec<Times>, Failure> {
    let watch = Stopwatch::start();
    let mut times = Vec::new();
    while times.is_empty() || watch.elapsed() < span {
        let request = request(fan(WIDTH));
        let called = Stopwatch::start();
        let made = engine.create_flow(request).await?;
        let submit = called.elapsed();
        last_ends(engine, &made).await?;
        let rest = called.elapsed() - submit;
        times.push(Times { submit, rest });
        succeeded(engine, made.id).await?;
    }
    Ok(times)
}

/// Returns the median of the members per second of flows that took so long.
fn rate(flows: &[Times], took: impl Fn(&Times) -> Duration) -> f64 {
    let rate = |flow| (WIDTH + 2) as f64 / took(flow).as_secs_f64();
    median(&mut flows.iter().map(rate).collect::<Vec<_>>())
}

impl Fan {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "flows of 1, {WIDTH} and 1 members: {:.0} members per second from the submission to the end, {:.2} of lifecycles outside flows, and {:.0} since the first was ready, {:.2}; submitted in {:.0} ms",
            self.from_submission_per_second,
            self.from_submission_ratio,
            self.from_ready_per_second,
            self.from_ready_ratio,
            self.submit_ms
        )
    }
}
