//! Counters of the server.

use serde::Serialize;

use crate::{Engine, Error};

/// Counters of the server since its start; differences of two are of use.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stats {
    /// Bytes of write-ahead log.
    pub wal_bytes: u64,
    /// Number of syncs of the log.
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
