//! A long history: executions that finished long ago, written by SQL.

use model::ExecutionId;

use crate::{Engine, Error};

/// Pause between the creations of two of them, in milliseconds: three million reach back
/// four weeks.
const STEP_MS: u64 = 800;
/// Rows of one statement.
const BATCH: u64 = 20_000;

/// Writes the executions `from` (inclusive) to `to` (exclusive) of a history, counted from
/// the newest, number 0, backwards in time.
///
/// Of a thousand in a row each fifth has the same kind (`bench-kind-N`) and each fifth the
/// same namespace (`bench-history-N`), a fifth failed, and half of them have the label
/// `bench.half:yes`, each independent of the others; only the newest has the creator
/// `bench-once`.
///
/// # Errors
/// The database's.
pub async fn history(engine: &Engine, from: u64, to: u64) -> Result<(), Error> {
    let partitions = engine.instance().partitions;
    let mut first = from;
    while first < to {
        let numbers: Vec<u64> = (first..to.min(first + BATCH)).collect();
        let mut columns = (Vec::new(), Vec::new(), Vec::new());
        for number in &numbers {
            let drawn = crate::random::execution_id(partitions, "", None);
            let (high, random) = drawn.uuid().as_u64_pair();
            let at_ms = (high >> 16).saturating_sub(number * STEP_MS);
            let id = ExecutionId::from_parts(drawn.partition(), at_ms, random);
            columns.0.push(id.partition().column());
            columns.1.push(id.uuid());
            columns.2.push(at_ms.cast_signed());
        }
        let numbers: Vec<i64> = numbers.iter().map(|number| number.cast_signed()).collect();
        sqlx::query_file!(
            "src/bench/history.sql",
            &columns.0,
            &columns.1,
            &columns.2,
            &numbers
        )
        .execute(&engine.inner.reads)
        .await?;
        first += BATCH;
    }
    // What the server would do in the next minutes, so that no measured statement waits.
    for table in ["execution", "finished", "tag"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM (ANALYZE) {table}")))
            .execute(&engine.inner.reads)
            .await?;
    }
    sqlx::query("CHECKPOINT")
        .execute(&engine.inner.reads)
        .await?;
    Ok(())
}

/// Removes a history again.
///
/// # Errors
/// The database's.
pub async fn clear_history(engine: &Engine) -> Result<(), Error> {
    sqlx::query!(
        "WITH gone AS (
             DELETE FROM execution WHERE lane = 'bench-history' RETURNING partition, id
         ), labels AS (
             DELETE FROM tag t USING gone g WHERE t.partition = g.partition AND t.execution_id = g.id
         )
         DELETE FROM finished f USING gone g
         WHERE f.partition = g.partition AND f.execution_id = g.id"
    )
    .execute(&engine.inner.reads)
    .await?;
    Ok(())
}
