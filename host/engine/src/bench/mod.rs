//! What the benchmark measures on the database itself.

mod baseline;
mod herd;
mod queue;
mod renewals;
mod suspended;

pub use baseline::{Baseline, SingleInserts};
pub use herd::{Herd, herd};
pub use queue::{backlog, claims, clear};
pub use renewals::{Renewals, renewals};
pub use suspended::{due_suspensions, suspend, suspend_one};

use std::time::Duration;

use serde::Serialize;

use crate::{Engine, Error};

/// Operations in a span of time.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rate {
    /// How many.
    pub operations: u64,
    /// How long it took.
    pub seconds: f64,
    /// The ratio of the two.
    pub per_second: f64,
}

impl Rate {
    /// Builds a rate.
    pub fn new(operations: u64, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        Self {
            operations,
            seconds,
            per_second: operations as f64 / seconds,
        }
    }
}

/// Counters of the server, for differences.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stats {
    /// Bytes of write-ahead log.
    pub wal_bytes: u64,
    /// Times the log was synced.
    pub fsyncs: u64,
}

/// Reads the counters of the server. They lag by up to a second.
pub async fn server_stats(engine: &Engine) -> Result<Stats, Error> {
    let row = sqlx::query!(
        r#"SELECT wal_bytes::bigint AS "wal_bytes!", wal_sync AS "wal_sync!" FROM pg_stat_wal"#
    )
    .fetch_one(&engine.inner.reads)
    .await?;
    Ok(Stats {
        wal_bytes: row.wal_bytes.unsigned_abs(),
        fsyncs: row.wal_sync.unsigned_abs(),
    })
}
