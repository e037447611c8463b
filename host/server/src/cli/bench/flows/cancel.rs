//! How long a cancellation takes until every member has ended.

use engine::Engine;
use serde::Serialize;

use super::graph::{cancel, request, settled, star};
use crate::cli::bench::measure::median;
use crate::cli::io::Failure;

/// Cancellations of flows whose members wait.
#[derive(Debug, Serialize)]
pub struct Cancel {
    /// Number of members; all of them wait, the first for a worker and the others for it.
    pub members: usize,
    /// Median time from the request until all have ended, in milliseconds.
    pub ms: f64,
}

/// Cancels a flow in each round.
pub async fn measure(engine: &Engine, members: usize, rounds: u32) -> Result<Cancel, Failure> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let made = engine.create_flow(request(star(members))).await?;
        times.push(cancel(engine, made.id).await?.as_secs_f64() * 1e3);
        // The flow takes note of them, which would be in the way of the next.
        settled(engine, made.id).await?;
    }
    Ok(Cancel {
        members,
        ms: median(&mut times),
    })
}

impl Cancel {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "cancel of a flow of {} waiting members: all have ended after {:.0} ms",
            self.members, self.ms
        )
    }
}
