//! The unconsumed signals of waitpoints, in the order they were accepted.

use model::{ExecutionId, SignalHeader, SignalId, WaitpointId};
use uuid::Uuid;

use crate::Error;
use crate::database::Pool;

/// Reads the signals that waitpoints of one execution have received and that are not
/// consumed, in the order they were accepted.
pub(crate) async fn received_signals(
    pool: &Pool,
    id: ExecutionId,
    waitpoints: &[Uuid],
) -> Result<Vec<SignalHeader>, Error> {
    let rows = sqlx::query_file!(
        "src/signal/received.sql",
        id.partition().column(),
        id.uuid(),
        waitpoints
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SignalHeader {
            waitpoint_id: WaitpointId(row.waitpoint_id),
            signal_id: SignalId(row.id),
            name: row.name,
            source_type: row.source_type,
            source_identity: row.source_identity,
        })
        .collect())
}
