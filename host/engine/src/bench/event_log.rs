//! A long event log, written by SQL, and the room that events take.

use crate::{Engine, Error};

/// Events of one row of the log: those of a batch of a host with some load.
const EVENTS_OF_A_ROW: u64 = 20;
/// Rows of one statement.
const ROWS: u64 = 2_000;
/// Lane and kind of the executions that the events are of. There is none of them.
const LANE: &str = "bench-event-log";
const KIND: &str = "bench-dropped";

/// Writes so many events of executions of a kind that no other execution has, rounded up to
/// whole rows.
///
/// # Errors
/// The database's.
pub async fn log_events(engine: &Engine, count: u64) -> Result<(), Error> {
    let partitions = engine.instance().partitions;
    let class = [[super::NAMESPACE, LANE, KIND].map(str::to_owned).into()];
    let class = engine.inner.classes.of(&engine.inner.reads, &class).await?[0];
    let mut rows = count.div_ceil(EVENTS_OF_A_ROW);
    while rows > 0 {
        let batch = rows.min(ROWS);
        let partition = crate::random::execution_id(partitions, "", None).partition();
        let ids: Vec<_> = (0..EVENTS_OF_A_ROW)
            .map(|_| crate::random::execution_id_on(partition).uuid())
            .collect();
        sqlx::query_file!(
            "src/bench/event_log.sql",
            partition.column(),
            &ids,
            class,
            i64::try_from(batch).unwrap_or(i64::MAX)
        )
        .execute(&engine.inner.reads)
        .await?;
        rows -= batch;
    }
    // What the server would do in the next minutes, so that no measured statement waits.
    sqlx::query("VACUUM (ANALYZE) event")
        .execute(&engine.inner.reads)
        .await?;
    sqlx::query("CHECKPOINT")
        .execute(&engine.inner.reads)
        .await?;
    Ok(())
}

/// Removes those events again.
///
/// # Errors
/// The database's.
pub async fn clear_events(engine: &Engine) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM event e USING execution_class c
         WHERE c.namespace = $1 AND c.lane = $2 AND c.kind = $3 AND e.classes[1] = c.id",
        super::NAMESPACE,
        LANE,
        KIND
    )
    .execute(&engine.inner.reads)
    .await?;
    Ok(())
}

/// Returns the bytes that the log of events takes in its table and index.
///
/// # Errors
/// The database's.
pub async fn event_table_bytes(engine: &Engine) -> Result<u64, Error> {
    let bytes = sqlx::query_scalar!(r#"SELECT pg_total_relation_size('event') AS "bytes!""#)
        .fetch_one(&engine.inner.reads)
        .await?;
    Ok(bytes.unsigned_abs())
}
