//! How long it takes to submit a large graph in one call.

use engine::Engine;
use serde::Serialize;

use super::graph::{cancel, layers, request, settled};
use crate::cli::bench::measure::median;
use crate::cli::io::Failure;
use crate::stopwatch::Stopwatch;

/// Graphs that are submitted at once.
#[derive(Debug, Serialize)]
pub struct Submit {
    /// Number of members of the graph.
    pub members: usize,
    /// Number of edges between them.
    pub edges: usize,
    /// Median time of the call, in milliseconds.
    pub ms: f64,
}

/// Submits a graph in each round, and cancels it.
pub async fn measure(
    engine: &Engine,
    (members, edges): (usize, usize),
    rounds: u32,
) -> Result<Submit, Failure> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let request = request(layers(members, edges));
        let watch = Stopwatch::start();
        let made = engine.create_flow(request).await?;
        times.push(watch.elapsed().as_secs_f64() * 1e3);
        cancel(engine, made.id).await?;
        settled(engine, made.id).await?;
    }
    Ok(Submit {
        members,
        edges,
        ms: median(&mut times),
    })
}

impl Submit {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "a graph of {} members and {} edges in one call: {:.0} ms",
            self.members, self.edges, self.ms
        )
    }
}
