//! What a lifecycle costs with its events, for a comparison of builds: the same command on
//! both, in turns.

use engine::bench::{Baseline, event_table_bytes};
use serde::Serialize;

use super::measure::Plan;
use crate::Host;
use crate::cli::bench::lifecycles;
use crate::cli::bench::measure::median;
use crate::cli::bench::report::Lifecycles;
use crate::cli::io::Failure;

/// What a lifecycle costs.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// The lifecycles: their rate, its ratio to single-row inserts, processor time, and bytes
    /// of the write-ahead log of all that a lifecycle writes.
    pub lifecycles: Lifecycles,
    /// Time between two ends of executions, in microseconds.
    pub time_us: f64,
    /// Bytes of the table of events and its index, for each lifecycle.
    pub table_bytes: f64,
}

/// Measures lifecycles without readers, between inserts.
pub async fn measure(
    host: &Host,
    baseline: &Baseline,
    in_flight: usize,
    plan: &Plan<'_>,
) -> Result<Cost, Failure> {
    let engine = host.engine();
    let (mut runs, mut table_bytes) = (Vec::new(), Vec::new());
    let mut before = lifecycles::inserts(host, baseline, plan.span).await?;
    for _ in 0..plan.rounds {
        let bytes = event_table_bytes(engine).await?;
        let mut run = lifecycles::run(host, in_flight, plan.span).await?;
        let grown = event_table_bytes(engine).await?.saturating_sub(bytes);
        table_bytes.push(grown as f64 / run.ended.max(1) as f64);
        let after = lifecycles::inserts(host, baseline, plan.span).await?;
        run.ratio = run.per_second / f64::midpoint(before, after);
        runs.push(run);
        before = after;
    }
    let lifecycles = Lifecycles::median(&runs);
    Ok(Cost {
        time_us: 1e6 / lifecycles.per_second,
        lifecycles,
        table_bytes: median(&mut table_bytes),
    })
}

impl Cost {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        let run = &self.lifecycles;
        let server = run.cpu_server_us;
        format!(
            "a lifecycle with its events at {} in flight: {:.0} wal bytes/lifecycle, {:.0} bytes of the table of events, {:.1} µs ({:.0} per second, {:.2} of inserts), processor {:.0} µs of the host and {} of the server",
            run.in_flight,
            run.wal_bytes,
            self.table_bytes,
            self.time_us,
            run.per_second,
            run.ratio,
            run.cpu_host_us,
            server.map_or("-".to_owned(), |us| format!("{us:.0} µs")),
        )
    }
}
