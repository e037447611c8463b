//! Many leases that are renewed at the same time.

use std::time::{Duration, Instant};

use super::queue::leased;
use crate::{Engine, Error};

/// The cost of renewing many leases.
#[derive(Debug, Clone)]
pub struct Renewals {
    /// Number of leases renewed in each round.
    pub leases: u64,
    /// Number of statements of each round.
    pub statements: f64,
    /// Time of each round.
    pub times: Vec<Duration>,
}

/// Leases `count` executions of a lane and renews them all, `rounds` times.
pub async fn renewals(
    engine: &Engine,
    lane: &str,
    kind: &str,
    count: u64,
    rounds: u32,
) -> Result<Renewals, Error> {
    let fences = leased(engine, lane, kind, count).await?;
    // A statement that renews writes one row of the log.
    let statements = async || {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM event
               WHERE kinds[1] = 'renewed' AND namespaces[1] = 'bench'"#
        )
        .fetch_one(&engine.inner.reads)
        .await
    };
    let before = statements().await?;
    let mut times = Vec::new();
    let mut leases = 0;
    for _ in 0..rounds {
        let asked = Instant::now();
        let renewed = engine.renew(&fences, 600_000).await?;
        times.push(asked.elapsed());
        leases = renewed.iter().filter(|renewed| renewed.is_ok()).count() as u64;
    }
    let made = statements().await? - before;
    Ok(Renewals {
        leases,
        statements: made as f64 / f64::from(rounds.max(1)),
        times,
    })
}
