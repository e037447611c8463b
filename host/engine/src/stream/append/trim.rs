//! Removes frames that are trimmed, a bounded number at a time.

use model::{ExecutionId, Partition};
use tracing::debug;

use crate::Error;
use crate::database::Pool;

/// Trimmed frames of a stream from which on an append removes some.
pub(super) const EXCESS: i32 = 256;
/// Most frames of each mode of a stream that one statement removes.
const REMOVED_MAX: i64 = 1024;

/// Removes frames of streams that have many trimmed ones. What fails is left to the next
/// append, since the frames cannot be read any more.
pub(super) async fn trim(pool: &Pool, partition: Partition, streams: &[(ExecutionId, u32)]) {
    if streams.is_empty() {
        return;
    }
    if let Err(error) = remove_trimmed(pool, partition, streams).await {
        debug!(%error, "trimmed frames were not removed; the next append does it");
    }
}

/// Removes frames of streams that are trimmed; returns how many, and how many are left.
pub(crate) async fn remove_trimmed(
    pool: &Pool,
    partition: Partition,
    streams: &[(ExecutionId, u32)],
) -> Result<(u64, u64), Error> {
    let mut streams = streams.to_vec();
    streams.sort_unstable();
    let ids: Vec<_> = streams.iter().map(|(id, _)| id.uuid()).collect();
    let attempts: Vec<_> = streams.iter().map(|(_, attempt)| *attempt as i32).collect();
    let row = sqlx::query_file!(
        "src/stream/append/trim.sql",
        partition.column(),
        &ids,
        &attempts,
        REMOVED_MAX
    )
    .fetch_one(pool)
    .await?;
    Ok((row.removed.unsigned_abs(), row.excess.unsigned_abs()))
}
